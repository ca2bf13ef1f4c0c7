//! Nothing of its own: `tests/` lets a client that others wrote speak with the stand-in for Session Manager.
