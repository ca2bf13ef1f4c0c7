//! One way to one Region with one set of credentials: what every call goes through.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::service_clock_skew::{ServiceClockSkewClassifier, ServiceClockSkewInterceptor};
use aws_smithy_runtime::client::http::connection_poisoning::ConnectionPoisoningInterceptor;
use aws_smithy_runtime::client::orchestrator::operation::Operation as Orchestrated;
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{AuthSchemeOptionResolverParams, SharedAuthSchemeOptionResolver};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, SharedInterceptor};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_runtime_api::client::runtime_plugin::{SharedRuntimePlugin, StaticRuntimePlugin};
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{ConfigBag, Layer};
use aws_smithy_types::date_time::Format;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::SigningName;
use aws_types::region::{Region, SigningRegion};
use doorward_core::inventory::AccountRegion;

use crate::configuration::{self, RETRIES, TIMEOUTS};
use crate::credentials::Kept;
use crate::error::{Error, Failure};
use crate::operation::{Body, Operation, Service};
use crate::wire::Refusal;

/// What lies between attempts of a call that is still throttled after the connection's own attempts.
const PATIENCE: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// How often AWS was asked, by the name of the call; each attempt counts, since AWS counts it too.
pub(crate) type Calls = BTreeMap<&'static str, u64>;

/// A Region, credentials, and what the calls to it share.
#[derive(Debug)]
pub(crate) struct Connection {
    region: String,
    config: SdkConfig,
    client: SharedHttpClient,
    /// How much may be tried again: of its own, so that one bad Region does not use up what another needs.
    retries: RetryPartition,
    /// Likewise, how far this machine's clock is off.
    skew: SharedInterceptor,
    calls: Arc<Mutex<Calls>>,
    ahead: Arc<Mutex<Option<i64>>>,
    credentials: Kept,
    /// How often a call is tried.
    attempts: u32,
}

impl Connection {
    /// Reads the configuration of an account and Region; nothing is sent to AWS yet.
    pub(crate) async fn to(account_region: &AccountRegion) -> Result<Self, Error> {
        let client = configuration::client();
        let config = configuration::load(account_region, &client).await;
        let region = config.region().map(|region| region.as_ref().to_owned());
        let region = region.filter(|region| !region.is_empty());
        let region = region.ok_or_else(|| Error::NoRegion(account_region.clone()))?;
        Ok(Self::of(region, config, client, account_region.to_string()))
    }

    pub(crate) fn of(region: String, config: SdkConfig, client: SharedHttpClient, name: String) -> Self {
        Self {
            region,
            credentials: Kept::of(config.credentials_provider()),
            config,
            client,
            retries: RetryPartition::custom(name).build(),
            skew: SharedInterceptor::permanent(ServiceClockSkewInterceptor::new()),
            calls: Arc::default(),
            ahead: Arc::default(),
            attempts: RETRIES.attempts,
        }
    }

    /// The same way, on which each call is tried once; calls are counted together.
    pub(crate) fn trying_once(&self) -> Self {
        Self {
            region: self.region.clone(),
            config: self.config.clone(),
            client: self.client.clone(),
            retries: self.retries.clone(),
            skew: self.skew.clone(),
            calls: Arc::clone(&self.calls),
            ahead: Arc::clone(&self.ahead),
            credentials: Kept::of(self.config.credentials_provider()),
            attempts: 1,
        }
    }

    /// The same Region with other credentials; calls are counted apart.
    pub(crate) fn with(&self, credentials: SharedCredentialsProvider, name: String) -> Self {
        let config = self.config.clone().into_builder().credentials_provider(credentials).build();
        Self::of(self.region.clone(), config, self.client.clone(), name)
    }

    /// The credentials that calls are signed with, for what is signed by hand.
    pub(crate) async fn credentials(&self) -> Result<Credentials, String> {
        self.credentials.get(SystemTime::now()).await.map_err(|error| words(&error))
    }

    /// How far this machine's clock was ahead of AWS's at the last answer, in seconds; behind it, less than zero.
    pub(crate) fn ahead(&self) -> Option<i64> {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a service is configured to answer without TLS, as one that is played for a test does.
    pub(crate) fn plain(&self, service: Service) -> bool {
        configuration::endpoint(&self.config, service, &self.region).starts_with("http://")
    }

    /// Whether AWS's endpoints for FIPS 140 are asked for.
    pub(crate) fn fips(&self) -> bool {
        self.config.use_fips() == Some(true)
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    pub(crate) fn calls(&self) -> Calls {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes one call, again where that may help, and reads its answer.
    pub(crate) async fn call<O: Operation>(&self, operation: &O) -> Result<O::Answer, Failure> {
        let service = O::SERVICE;
        let endpoint = configuration::endpoint(&self.config, service, &self.region);
        let orchestrated = Orchestrated::builder()
            .service_name(service.id())
            .operation_name(O::NAME)
            .http_client(self.client.clone())
            .endpoint_url(&endpoint)
            .standard_retry(
                &RetryConfig::standard()
                    .with_max_attempts(self.attempts)
                    .with_initial_backoff(RETRIES.first_pause)
                    .with_max_backoff(RETRIES.longest_pause),
            )
            .timeout_config(TIMEOUTS.config())
            .interceptor(Count {
                call: O::NAME,
                calls: Arc::clone(&self.calls),
                ahead: Arc::clone(&self.ahead),
            })
            .runtime_plugin(self.plugin(service))
            .serializer(move |body: Body| request::<O>(body))
            .deserializer(answer::<O>)
            .build();
        orchestrated.invoke(operation.body()).await.map_err(failure)
    }

    /// Who signs, how, and after which failures it is tried again.
    fn plugin(&self, service: Service) -> SharedRuntimePlugin {
        let mut layer = Layer::new("doorward");
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(self.retries.clone());
        layer.store_put(SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(Region::new(service.signing_region(&self.region).to_owned()))),
            name: Some(SigningName::from_static(service.signing_name())),
            signing_options: SigningOptions::default(),
            ..SigV4OperationSigningConfig::default()
        });
        let components = RuntimeComponentsBuilder::new("doorward")
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(
                StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]),
            )))
            .with_identity_cache(self.config.identity_cache())
            .with_interceptor(ConnectionPoisoningInterceptor::new())
            .with_interceptor(self.skew.clone())
            .with_retry_classifier(HttpStatusCodeClassifier::default())
            .with_retry_classifier(TransientErrorClassifier::<Refusal>::new())
            .with_retry_classifier(AwsErrorCodeClassifier::<Refusal>::new())
            .with_retry_classifier(ServiceClockSkewClassifier::<Refusal>::new());
        let components = match self.config.credentials_provider() {
            Some(provider) => components.with_identity_resolver(SCHEME_ID, provider),
            None => components,
        };
        SharedRuntimePlugin::new(
            StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components),
        )
    }
}

/// Makes a call again for as long as AWS says only that it is asked too much.
pub(crate) async fn patiently<A, F>(call: impl Fn() -> F) -> Result<A, Failure>
where
    F: Future<Output = Result<A, Failure>>,
{
    for pause in PATIENCE {
        match call().await {
            Err(failure) if failure.is_throttling() => tokio::time::sleep(pause).await,
            answer => return answer,
        }
    }
    call().await
}

fn request<O: Operation>(body: Body) -> Result<HttpRequest, BoxError> {
    let (method, path, content, body) = match body {
        Body::Form(fields) => {
            let mut form = O::SERVICE.form(O::NAME);
            form.append(fields);
            let content = "application/x-www-form-urlencoded; charset=utf-8";
            ("POST", "/".to_owned(), Some(content), form.into_body())
        }
        Body::Put { path, json } => ("PUT", path, Some("application/json"), json),
        Body::Json(json) => ("POST", "/".to_owned(), Some("application/x-amz-json-1.1"), json),
        Body::Get { path, query } => ("GET", format!("{path}?{}", query.into_body()), None, String::new()),
    };
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method(method)?;
    request.set_uri(path)?;
    let headers = request.headers_mut();
    if let Some(content) = content {
        headers.insert("content-type", content);
    }
    headers.insert("user-agent", concat!("doorward/", env!("CARGO_PKG_VERSION")));
    if let Some(target) = O::SERVICE.json_target(O::NAME) {
        headers.insert("x-amz-target", target);
    }
    Ok(request)
}

fn answer<O: Operation>(response: &HttpResponse) -> Result<O::Answer, OrchestratorError<Refusal>> {
    let body = response.body().bytes().unwrap_or_default();
    if !response.status().is_success() {
        let kind = response.headers().get("x-amzn-errortype");
        return Err(OrchestratorError::operation(Refusal::read(response.status().as_u16(), kind, body)));
    }
    // Half an answer counts as none, and is asked for again.
    O::read(body).map_err(|why| OrchestratorError::response(why.into()))
}

fn failure(error: SdkError<Refusal, HttpResponse>) -> Failure {
    let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), words);
    match error {
        SdkError::ServiceError(refused) => Failure::Refused(refused.into_err()),
        error if is_of_credentials(&error) => Failure::Unsigned(why),
        SdkError::TimeoutError(_) => Failure::Silent(TIMEOUTS.words()),
        SdkError::ResponseError(_) => Failure::Silent(format!("the response cannot be read: {why}")),
        _ => Failure::Silent(why),
    }
}

/// Whether the call was not made because there was nothing to sign it with.
fn is_of_credentials(error: &SdkError<Refusal, HttpResponse>) -> bool {
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        if error.is::<CredentialsError>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// The chain of reasons, each said once and on one line, outermost first; what only names a layer is left out.
fn words(error: &(dyn std::error::Error + 'static)) -> String {
    const LAYERS: &[&str] = &[
        "other",
        "io error",
        "user error",
        "client error (Connect)",
        "the credential provider was not enabled",
    ];
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        let text = match text.split_once(" in chain. Attempted:") {
            // What follows tells of each source, why it has none.
            Some((none, _)) => format!(
                "{none} in the environment, the profile, a web identity token, the container or the instance"
            ),
            None => text.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        if !LAYERS.contains(&text.as_str()) && !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    if said.is_empty() {
        return error.to_string();
    }
    said.join(": ")
}

/// Counts each request that leaves, and looks at the clock of each answer.
#[derive(Debug)]
struct Count {
    call: &'static str,
    calls: Arc<Mutex<Calls>>,
    ahead: Arc<Mutex<Option<i64>>>,
}

impl Intercept for Count {
    fn name(&self) -> &'static str {
        "count"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(self.call).or_default() += 1;
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let theirs = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        if let Some(theirs) = theirs {
            let ours = DateTime::from(SystemTime::now());
            let ahead = ours.secs().saturating_sub(theirs.secs());
            *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
        Ok(())
    }
}
