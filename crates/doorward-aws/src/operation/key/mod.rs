//! The calls of KMS that an encrypted shell needs.

mod decrypt;
mod generate_data_key;

pub(crate) use decrypt::Decrypt;
pub(crate) use generate_data_key::GenerateDataKey;
