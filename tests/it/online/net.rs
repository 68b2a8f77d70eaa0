//! The client: where a request may go, what is sent again, what is read of an answer.
