//! Where credentials, Region and endpoint come from, and how long AWS may take.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::ServiceConfigKey;
use doorward_core::inventory::{AccountRegion, Partition};
use doorward_core::policy::did_you_mean;
use tokio::sync::Mutex;

use crate::operation::Service;

/// How often one call is tried, and what lies between.
pub(crate) struct Retries {
    pub(crate) attempts: u32,
    pub(crate) first_pause: Duration,
    pub(crate) longest_pause: Duration,
}

/// Throttling lasts for seconds, and a person waits: four attempts, within [`TIMEOUTS`].
pub(crate) const RETRIES: Retries =
    Retries { attempts: 4, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(4) };

/// How long a connection, one attempt, and a call with all its attempts may take.
pub(crate) struct Timeouts {
    connect: Duration,
    attempt: Duration,
    call: Duration,
}

pub(crate) const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(3),
    attempt: Duration::from_secs(5),
    call: Duration::from_secs(15),
};

impl Timeouts {
    pub(crate) fn config(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.call)
            .build()
    }

    pub(crate) fn words(&self) -> String {
        format!(
            "it took longer than {} seconds, or {} seconds with every attempt",
            self.attempt.as_secs(),
            self.call.as_secs()
        )
    }
}

/// TLS by rustls with ring, trusting what the system trusts.
pub(crate) fn client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https()
}

/// What the AWS CLI would use for the same profile and Region.
pub(crate) async fn load(account_region: &AccountRegion, client: &SharedHttpClient) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(client.clone())
        .timeout_config(TIMEOUTS.config());
    let mut region = account_region.region.clone().map(Region::new);
    let provider = ProviderConfig::default().with_http_client(client.clone());
    if let Some(profile) = &account_region.profile {
        let own = ProfileFileRegionProvider::builder().configure(&provider).profile_name(profile).build();
        region = RegionProviderChain::first_try(region).or_else(own).region().await;
        loader = loader.profile_name(profile);
    }
    if let Some(region) = region {
        loader = loader.region(region);
    }
    let config = loader.load().await;
    let Some(profile) = account_region.profile.clone() else { return config };
    // A profile that is named outright comes before keys in the environment, as with `aws --profile`: with two
    // profiles in one policy, the environment's keys would else be used for both.
    let credentials = Profile {
        name: profile,
        region: config.region().cloned(),
        client: client.clone(),
        provider: Mutex::default(),
    };
    config.into_builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build()
}

/// The credentials of one profile.
///
/// A profile that could not be read is read again the next time: who mends the file need not restart the server.
#[derive(Debug)]
struct Profile {
    name: String,
    region: Option<Region>,
    client: SharedHttpClient,
    provider: Mutex<Option<Arc<ProfileFileCredentialsProvider>>>,
}

impl Profile {
    async fn credentials(&self) -> provider::Result {
        let mut known = self.provider.lock().await;
        let provider = known.take().unwrap_or_else(|| {
            // A configuration of its own each time, since it keeps the file as it first read it.
            let config = ProviderConfig::default().with_http_client(self.client.clone());
            let config = config.with_region(self.region.clone());
            let builder = ProfileFileCredentialsProvider::builder().configure(&config);
            Arc::new(builder.profile_name(&self.name).build())
        });
        let credentials = match provider.provide_credentials().await {
            Ok(credentials) => credentials,
            Err(error) => {
                let configured = configured().await;
                return Err(match configured.as_ref().and_then(|known| not_configured(&self.name, known)) {
                    Some(why) => CredentialsError::not_loaded(why),
                    None if error.source().is_none() => {
                        CredentialsError::not_loaded(format!("profile `{}` has no credentials", self.name))
                    }
                    None => error,
                });
            }
        };
        *known = Some(provider);
        Ok(credentials)
    }
}

/// The profiles of the AWS configuration; none where it cannot be read.
async fn configured() -> Option<BTreeSet<String>> {
    // The default files: those that `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` name, or those in ~/.aws.
    let (fs, env) = (Fs::real(), Env::real());
    let profiles = aws_config::profile::load(&fs, &env, &Default::default(), None).await.ok()?;
    Some(profiles.profiles().map(str::to_owned).collect())
}

/// Why there is nothing to find for a profile that the AWS configuration does not have.
fn not_configured(name: &str, configured: &BTreeSet<String>) -> Option<String> {
    if configured.contains(name) {
        return None;
    }
    let meant = did_you_mean(name, configured.iter().map(String::as_str));
    let more = match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if configured.is_empty() => "it has none".to_owned(),
        None => {
            let names: Vec<String> = configured.iter().map(|name| format!("`{name}`")).collect();
            format!("it has {}", names.join(", "))
        }
    };
    Some(format!("profile `{name}` is not in the AWS configuration: {more}"))
}

impl ProvideCredentials for Profile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

/// The address of a service: what `AWS_ENDPOINT_URL_…`, `AWS_ENDPOINT_URL` or the profile say, else AWS's own.
pub(crate) fn endpoint(config: &SdkConfig, service: Service, region: &str) -> String {
    let key = ServiceConfigKey::builder()
        .service_id(service.id())
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let own = key.ok().and_then(|key| config.service_config()?.load_config(key));
    if let Some(url) = own.as_deref().or(config.endpoint_url()) {
        return url.to_owned();
    }
    if let Some(global) = service.global_endpoint(region, config.use_fips() == Some(true)) {
        return format!("https://{global}");
    }
    let partition = Partition::of(region);
    let fips = if config.use_fips() == Some(true) { "-fips" } else { "" };
    let domain = match config.use_dual_stack() {
        Some(true) => partition.dual_stack_domain(),
        _ => partition.domain(),
    };
    format!("https://{}{fips}.{region}.{domain}", service.endpoint_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(config: &SdkConfig, service: Service, region: &str, expected: &str) {
        assert_eq!(endpoint(config, service, region), expected);
    }

    #[test]
    fn a_profile_that_is_not_configured_is_named_with_those_that_are() {
        let check = |name: &str, configured: &[&str], expected: Option<&str>| {
            let configured = configured.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(not_configured(name, &configured).as_deref(), expected);
        };
        check("prod", &["prod", "stage"], None);
        check(
            "prdo",
            &["prod", "stage"],
            Some("profile `prdo` is not in the AWS configuration: did you mean `prod`?"),
        );
        check(
            "billing",
            &["prod", "stage"],
            Some("profile `billing` is not in the AWS configuration: it has `prod`, `stage`"),
        );
        check("prod", &[], Some("profile `prod` is not in the AWS configuration: it has none"));
    }

    #[test]
    fn each_partition_has_its_endpoints() {
        let config = SdkConfig::builder().build();
        check(&config, Service::Ec2, "eu-west-1", "https://ec2.eu-west-1.amazonaws.com");
        check(&config, Service::Ec2, "cn-north-1", "https://ec2.cn-north-1.amazonaws.com.cn");
        check(&config, Service::Ec2, "us-gov-west-1", "https://ec2.us-gov-west-1.amazonaws.com");
        check(&config, Service::Quotas, "us-east-1", "https://servicequotas.us-east-1.amazonaws.com");
        check(&config, Service::Sts, "eu-west-1", "https://sts.eu-west-1.amazonaws.com");
        check(&config, Service::Ssm, "eusc-de-east-1", "https://ssm.eusc-de-east-1.amazonaws.eu");
        check(&config, Service::Kms, "cn-northwest-1", "https://kms.cn-northwest-1.amazonaws.com.cn");
        check(
            &config,
            Service::CloudTrail,
            "us-gov-east-1",
            "https://cloudtrail.us-gov-east-1.amazonaws.com",
        );
        let url = "https://ec2-instance-connect.eu-west-1.amazonaws.com";
        check(&config, Service::InstanceConnect, "eu-west-1", url);
    }

    #[test]
    fn iam_is_one_for_each_partition() {
        let config = SdkConfig::builder().build();
        let signed = |region| Service::Iam.signing_region(region).to_owned();
        check(&config, Service::Iam, "eu-west-1", "https://iam.amazonaws.com");
        assert_eq!(signed("eu-west-1"), "us-east-1");
        check(&config, Service::Iam, "cn-northwest-1", "https://iam.cn-north-1.amazonaws.com.cn");
        assert_eq!(signed("cn-northwest-1"), "cn-north-1");
        check(&config, Service::Iam, "us-gov-east-1", "https://iam.us-gov.amazonaws.com");
        assert_eq!(signed("us-gov-east-1"), "us-gov-west-1");
        let config = SdkConfig::builder().use_fips(true).build();
        check(&config, Service::Iam, "us-east-1", "https://iam-fips.amazonaws.com");
        assert_eq!(Service::Ssm.signing_region("eu-west-1"), "eu-west-1");
    }

    #[test]
    fn what_is_configured_comes_first() {
        let config = SdkConfig::builder().use_fips(true).build();
        check(&config, Service::Ec2, "us-east-1", "https://ec2-fips.us-east-1.amazonaws.com");
        let config = SdkConfig::builder().use_dual_stack(true).build();
        check(&config, Service::Ec2, "eu-west-1", "https://ec2.eu-west-1.api.aws");
        let config = SdkConfig::builder().endpoint_url("http://127.0.0.1:5000").build();
        check(&config, Service::Ec2, "eu-west-1", "http://127.0.0.1:5000");
    }

    /// What the environment says of one service: the loader of the runtime, with an environment of the test's own.
    #[derive(Debug)]
    struct Environment(&'static str, &'static str);

    impl aws_types::service_config::LoadServiceConfig for Environment {
        fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
            let name = format!("{}_{}", key.env(), key.service_id().to_uppercase().replace([' ', '-'], "_"));
            (name == self.0).then(|| self.1.to_owned())
        }
    }

    #[test]
    fn each_service_has_its_own_variable() {
        let of = |name, service| {
            let config = SdkConfig::builder()
                .endpoint_url("http://127.0.0.1:1")
                .service_config(Environment(name, "http://127.0.0.1:2"))
                .build();
            endpoint(&config, service, "eu-west-1")
        };
        for (name, service) in [
            ("AWS_ENDPOINT_URL_SSM", Service::Ssm),
            ("AWS_ENDPOINT_URL_EC2_INSTANCE_CONNECT", Service::InstanceConnect),
            ("AWS_ENDPOINT_URL_KMS", Service::Kms),
            ("AWS_ENDPOINT_URL_CLOUDTRAIL", Service::CloudTrail),
            ("AWS_ENDPOINT_URL_STS", Service::Sts),
        ] {
            assert_eq!(of(name, service), "http://127.0.0.1:2", "{name}");
            assert_eq!(of(name, Service::Ec2), "http://127.0.0.1:1", "{name}");
        }
    }
}
