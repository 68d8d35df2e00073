//! The Nutshell twin: JSON-RPC and REST over one store.
