// Package server knows HTTP: how a request is read, admitted, logged, measured and answered.
//
// It knows no GraphQL. What answers an operation is a function of type Execute that the caller supplies.
package server
