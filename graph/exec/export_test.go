package exec

// Plans counts the plans of the operation that are kept.
func (o *Operation) Plans() int {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return len(o.plans)
}
