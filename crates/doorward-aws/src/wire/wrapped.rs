//! An answer inside the two elements that the query services other than EC2 put around it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// `<XResponse><XResult>…</XResult><ResponseMetadata/></XResponse>`: what stands in the result.
#[derive(Debug)]
pub(crate) struct Wrapped<A>(pub(crate) A);

impl<'de, A: Deserialize<'de>> Deserialize<'de> for Wrapped<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Response(PhantomData))
    }
}

struct Response<A>(PhantomData<A>);

impl<'de, A: Deserialize<'de>> Visitor<'de> for Response<A> {
    type Value = Wrapped<A>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer with a result")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Wrapped<A>, M::Error> {
        let mut result = None;
        while let Some(key) = map.next_key::<String>()? {
            if key.ends_with("Result") && result.is_none() {
                result = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        result.map(Wrapped).ok_or_else(|| M::Error::custom("the response has no result"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::List;
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Answer {
        #[serde(rename = "Names", default)]
        names: List<String>,
        #[serde(rename = "Marker", default)]
        next: Option<String>,
    }

    fn read(text: &str) -> Result<Wrapped<Answer>, quick_xml::DeError> {
        quick_xml::de::from_str(text)
    }

    #[test]
    fn the_result_is_read_and_the_rest_is_not() {
        let text =
            "<XResponse xmlns=\"x\"><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata><XResult>
            <Marker>m</Marker><Names><member>a</member><member>b</member></Names></XResult></XResponse>";
        let Wrapped(answer) = read(text).expect("an answer");
        assert_eq!(answer.names.0, ["a", "b"]);
        assert_eq!(answer.next.as_deref(), Some("m"));
        assert_eq!(read("<XResponse><XResult/></XResponse>").expect("an answer").0.names.0, [""; 0]);
    }

    #[test]
    fn an_answer_without_a_result_is_none() {
        for half in
            ["<XResponse></XResponse>", "<XResponse><XResult><Names>", "<html><body>hello</body></html>", ""]
        {
            assert!(read(half).is_err(), "{half}");
        }
    }
}
