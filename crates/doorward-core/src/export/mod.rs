//! What other programs can take: the IAM policy that a policy needs.

pub mod iam;
