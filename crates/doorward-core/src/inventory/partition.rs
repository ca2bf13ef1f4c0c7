//! AWS's partitions: which world of accounts, names and endpoints a Region is in.

/// What a Region belongs to; ARNs and endpoints are written differently in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// The commercial Regions.
    Aws,
    China,
    /// GovCloud (US).
    GovCloud,
    /// The European Sovereign Cloud.
    EuropeanSovereign,
}

impl Partition {
    /// The partition of a Region, by its name: `cn-north-1`, `us-gov-west-1`, `eusc-de-east-1`, else commercial.
    ///
    /// Source: `partitions.json` of the AWS SDKs.
    pub fn of(region: &str) -> Self {
        if region.starts_with("cn-") {
            Self::China
        } else if region.starts_with("us-gov-") {
            Self::GovCloud
        } else if region.starts_with("eusc-") {
            Self::EuropeanSovereign
        } else {
            Self::Aws
        }
    }

    /// The second word of an ARN.
    pub fn arn(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::GovCloud => "aws-us-gov",
            Self::EuropeanSovereign => "aws-eusc",
        }
    }

    /// The domain that `SERVICE.REGION` stands before in an endpoint.
    pub fn domain(self) -> &'static str {
        match self {
            Self::Aws | Self::GovCloud => "amazonaws.com",
            Self::China => "amazonaws.com.cn",
            Self::EuropeanSovereign => "amazonaws.eu",
        }
    }

    /// Likewise, of the endpoints that also have IPv6 addresses.
    pub fn dual_stack_domain(self) -> &'static str {
        match self {
            Self::Aws | Self::GovCloud => "api.aws",
            Self::China => "api.amazonwebservices.com.cn",
            Self::EuropeanSovereign => "api.amazonwebservices.eu",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_tells_its_partition() {
        for (region, arn) in [
            ("eu-west-1", "aws"),
            ("us-east-2", "aws"),
            ("cn-northwest-1", "aws-cn"),
            ("us-gov-east-1", "aws-us-gov"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(Partition::of(region).arn(), arn, "{region}");
        }
    }
}
