//! The language: text, schemas, checking, plans, evaluation. Synchronous, a function of its arguments.
