//! `servicequotas:GetServiceQuota`: how many of something there may be in this account and Region.

use serde::{Deserialize, Serialize};

use super::{Body, Operation, Service, json};

/// Inbound or outbound rules per security group.
pub(crate) const RULES_QUOTA: &str = "L-0EA8095F";

/// Asks for one quota.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct GetServiceQuota {
    /// Like `vpc`.
    #[serde(rename = "ServiceCode")]
    pub(crate) service: &'static str,
    /// Like `L-0EA8095F`.
    #[serde(rename = "QuotaCode")]
    pub(crate) code: &'static str,
}

impl GetServiceQuota {
    /// Inbound or outbound rules per security group.
    pub(crate) const RULES: Self = Self { service: "vpc", code: RULES_QUOTA };
}

impl Operation for GetServiceQuota {
    const NAME: &'static str = "GetServiceQuota";
    const SERVICE: Service = Service::Quotas;
    type Answer = QuotaAnswer;

    fn body(&self) -> Body {
        json(self)
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
    pub(crate) fn value(&self) -> Option<u32> {
        self.quota.value()
    }
}

impl QuotaShape {
    /// Whether it is about the rules of a security group.
    pub(crate) fn is_of_rules(&self) -> bool {
        self.code.as_deref() == Some(RULES_QUOTA)
    }

    /// As a whole number: quotas travel as floating-point numbers.
    pub(crate) fn value(&self) -> Option<u32> {
        let value = self.value;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        (1.0..=100_000.0).contains(&value).then_some(value as u32)
    }
}
