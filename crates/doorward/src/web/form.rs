//! The fields of a form: read only after its session, its token and the page that it came from were checked.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Web;
use super::failure::Failure;
use super::origin::Origin;
use super::session::{self, Purpose, Signed};

/// The fields of a form, in order.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first field of a name, trimmed; nothing of a field that is empty.
    pub fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next().map(str::trim).filter(|value| !value.is_empty())
    }

    /// The first field of a name exactly as it was typed.
    pub fn exactly<'a>(&'a self, name: &'a str) -> &'a str {
        self.all(name).next().unwrap_or_default()
    }

    /// Every field of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Reads a body as a form.
    pub async fn read(request: Request, web: &Arc<Web>) -> Result<Self, Failure> {
        match Form::<Vec<(String, String)>>::from_request(request, web).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(FormRejection::InvalidFormContentType(_)) => {
                Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "this page accepts only form data"))
            }
            Err(rejection) => Err(Failure::new(rejection.status(), "the form could not be read")),
        }
    }
}

/// A form that a signed-in person sent from a page of ours.
#[derive(Debug)]
pub struct Posted {
    pub signed: Signed,
    pub origin: Origin,
    pub fields: Fields,
}

impl FromRequest<Arc<Web>> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Self, Response> {
        Self::read(request, web, Purpose::All).await
    }
}

/// A form that revokes: also while the store cannot be read.
#[derive(Debug)]
pub struct PostedToRevoke(pub Posted);

impl FromRequest<Arc<Web>> for PostedToRevoke {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Self, Response> {
        Posted::read(request, web, Purpose::Revoking).await.map(Self)
    }
}

impl Posted {
    async fn read(request: Request, web: &Arc<Web>, purpose: Purpose) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Ok(origin) = Origin::from_request_parts(&mut parts, web).await;
        let signed = Signed::find(&mut parts, web, purpose).await?;
        let ours = session::from_our_page(&parts.headers, &parts.extensions, &web.app().loaded().policy);
        let read = Fields::read(Request::from_parts(parts, body), web).await;
        let fields = read.map_err(IntoResponse::into_response)?;
        if !ours {
            return Err(session::of_another_page("so nothing was done").into_response());
        }
        if !signed.sent(fields.exactly("token")) {
            let why = "this form was not sent from a page of your session, so nothing was done";
            return Err(Failure::new(StatusCode::FORBIDDEN, why)
                .hint("go back, load the page again and send the form once more")
                .into_response());
        }
        Ok(Self { signed, origin, fields })
    }
}
