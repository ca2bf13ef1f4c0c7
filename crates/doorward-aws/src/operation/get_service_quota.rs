//! `servicequotas:GetServiceQuota`: how many rules a security group may have in this account and Region.

use serde::Deserialize;

use super::{Body, Operation, Service};

/// Inbound or outbound rules per security group.
pub(crate) const RULES_QUOTA: &str = "L-0EA8095F";

/// Asks for `L-0EA8095F`, inbound or outbound rules per security group.
#[derive(Debug, Clone)]
pub(crate) struct GetServiceQuota;

impl Operation for GetServiceQuota {
    const NAME: &'static str = "GetServiceQuota";
    const SERVICE: Service = Service::Quotas;
    type Answer = QuotaAnswer;

    fn body(&self) -> Body {
        Body::Json(r#"{"ServiceCode":"vpc","QuotaCode":"L-0EA8095F"}"#.to_owned())
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct QuotaAnswer {
    #[serde(rename = "Quota")]
    quota: QuotaShape,
}

#[derive(Debug, Deserialize)]
pub(crate) struct QuotaShape {
    #[serde(rename = "QuotaCode", default)]
    code: Option<String>,
    #[serde(rename = "Value")]
    value: f64,
}

impl QuotaAnswer {
    /// As a whole number: quotas travel as floating-point numbers.
    pub(crate) fn rules(&self) -> Option<u32> {
        self.quota.rules()
    }
}

impl QuotaShape {
    /// Whether it is about the rules of a security group.
    pub(crate) fn is_of_rules(&self) -> bool {
        self.code.as_deref() == Some(RULES_QUOTA)
    }

    /// As a whole number: quotas travel as floating-point numbers.
    pub(crate) fn rules(&self) -> Option<u32> {
        let value = self.value;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        (1.0..=100_000.0).contains(&value).then_some(value as u32)
    }
}
