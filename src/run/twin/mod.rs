//! Both systems' APIs as in-memory servers, written from the reference sheets. Shares no code with the clients.
