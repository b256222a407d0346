package exec

// Documents counts the documents that have plans.
func (e *Executor) Documents() (n int) {
	e.plans.byOp.Range(func(any, any) bool { n++; return true })
	return n
}

// Plans counts the plans of all documents.
func (e *Executor) Plans() (n int) {
	e.plans.byOp.Range(func(_, ops any) bool { n += len(ops.(*operationPlans).plans); return true })
	return n
}
