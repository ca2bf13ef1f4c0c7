//! An account of these tests.

use doorward_aws::Account;

use crate::profiles::profile_with;

/// An account in eu-west-1 with these keys, whose every service is at one address.
pub async fn account(name: &str, url: &str, key: &str, secret: &str) -> Account {
    let keys = format!("aws_access_key_id = {key}\naws_secret_access_key = {secret}");
    let profile = profile_with(name, &format!("region = eu-west-1\nendpoint_url = {url}\n{keys}"));
    Account::connect(&profile).await.expect("an account")
}
