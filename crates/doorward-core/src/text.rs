//! What every value shares that is kept, sent and shown as text.

/// Converts to and from an owned text through `Display` and `FromStr`, as serde's `into` and `try_from` ask.
macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }

        impl TryFrom<String> for $type {
            type Error = <$type as std::str::FromStr>::Err;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    )*};
}

/// The same for a newtype around a text, which is shown as it is.
macro_rules! is_text {
    ($type:ident) => {
        impl $type {
            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        crate::text::as_text!($type);
    };
}

pub(crate) use {as_text, is_text};
