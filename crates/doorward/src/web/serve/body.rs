//! Bodies with an end: a request body with a time limit, and a response body that keeps its request alive.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::{BoxError, Error};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::admission::Phase;
use super::life::Turn;

/// What a client sends, within the time that a body may take.
pub(super) struct Received {
    body: Incoming,
    /// Set at the first wait.
    limit: Option<Pin<Box<Sleep>>>,
    until: Instant,
    turn: Option<Arc<Turn>>,
}

impl Received {
    pub(super) fn new(body: Incoming, turn: &Arc<Turn>) -> Self {
        let until = turn.body_until();
        let turn = (!body.is_end_stream()).then(|| Arc::clone(turn));
        Self { body, limit: None, until, turn }
    }

    fn is_whole(&mut self) {
        if let Some(turn) = self.turn.take() {
            turn.comes_to(Phase::Answering);
        }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(frame)) => {
                if frame.is_err() || self.body.is_end_stream() {
                    self.is_whole();
                }
                Poll::Ready(Some(frame.map_err(Into::into)))
            }
            Poll::Ready(None) => {
                self.is_whole();
                Poll::Ready(None)
            }
            Poll::Pending => {
                let until = self.until;
                let limit = self.limit.get_or_insert_with(|| Box::pin(sleep_until(until)));
                if limit.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.is_whole();
                let late = io::Error::new(io::ErrorKind::TimedOut, "the request body timed out");
                Poll::Ready(Some(Err(late.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response body. Its request ends when this is dropped.
pub(super) struct Sent {
    body: Body,
    _turn: Arc<Turn>,
}

impl Sent {
    pub(super) fn new(body: Body, turn: Arc<Turn>) -> Self {
        turn.comes_to(Phase::Sending);
        Self { body, _turn: turn }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
