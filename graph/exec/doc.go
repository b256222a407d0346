// Package exec runs queries, and everything below a root field of a mutation.
//
// The root fields of an [Operation] are resolved by the resolvers that gqlgen generated for, side by side. gqlgen
// keeps the roots of what else there is: introspection, mutations, and root fields whose directive has code. What a
// root resolver returns is answered in two phases:
//
//  1. Gather. The values are walked once and every edge (a field with a batch resolver) is given
//     all parents of its level in one call. What the edges return is walked in turn, until no edge is
//     left. Parts of the selection without an edge below them are not walked at all.
//  2. Write. The answer is appended to one buffer, depth first, straight from the structs.
//
// Both phases follow a plan that merges the selection sets of the document once for each concrete
// type. Plans belong to the [Operation], so an operation of a document that is kept is planned once and not for each
// request.
//
// The order in which objects reach one planned selection is the same in both phases. That is why an
// edge needs no index from parent to result: the writer takes the results one after another. It is
// also why the writer never stops early: where a null takes its parent along, the bytes written so
// far are dropped, while the siblings are still visited, which is what the specification wants for their errors too.
//
// The answer has exactly the bytes that gqlgen alone would write, and the same errors; gqlgen alone
// is the oracle of a differential test. Three things differ on purpose:
//
//   - A response key that a document selects through two unrelated interfaces is merged, as the
//     specification asks; gqlgen answers the first of the two only.
//   - @defer is ignored, which the proposal allows: everything is in the first payload.
//   - When a batch resolver returns the wrong number of results or panics, the message names the size of
//     our batch, and each parent gets the error of the panic. gqlgen gives the panic to one parent and calls
//     the others' results wrongly typed.
//
// Below a root neither directives nor field interceptors run. The generator of the table, package
// tablegen, therefore refuses a schema whose fields, arguments or input fields carry a directive that does something.
//
// The executor doesn't bound the number of errors: that is the error presenter's or the HTTP
// layer's task, since gqlgen's own errors have to be counted too.
package exec
