//! One call of a client: of which service, in which Region, with which parameters.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::http::request::Parts;

use crate::behaviour::reference::Rule;
use crate::form::Form;

/// A service of AWS, as far as its calls are distinguished here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    Ec2,
    Rds,
    Balancing,
    Scaling,
    Lambda,
    Caches,
    Containers,
    Quotas,
    Other,
}

impl Service {
    /// By the name that requests are signed for.
    fn signed(name: &str) -> Self {
        match name {
            "ec2" => Self::Ec2,
            "rds" => Self::Rds,
            "elasticloadbalancing" => Self::Balancing,
            "autoscaling" => Self::Scaling,
            "lambda" => Self::Lambda,
            "elasticache" => Self::Caches,
            "ecs" => Self::Containers,
            "servicequotas" => Self::Quotas,
            _ => Self::Other,
        }
    }

    /// The name that requests are signed for, and the version of the API.
    pub(crate) fn name_and_version(self) -> (&'static str, &'static str) {
        match self {
            Self::Ec2 => ("ec2", "2016-11-15"),
            Self::Rds => ("rds", "2014-10-31"),
            Self::Balancing => ("elasticloadbalancing", "2015-12-01"),
            Self::Scaling => ("autoscaling", "2011-01-01"),
            Self::Lambda => ("lambda", "2015-03-31"),
            Self::Caches => ("elasticache", "2015-02-02"),
            Self::Containers => ("ecs", "2014-11-13"),
            Self::Quotas => ("servicequotas", "2019-06-24"),
            Self::Other => ("", ""),
        }
    }
}

/// A call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) region: String,
    /// `DescribeVpcs`; of a service without actions the method and the path.
    pub(crate) action: String,
    /// Its parameters, without `Action` and `Version`. The form that is sent to moto is written from them.
    pub(crate) form: Form,
    /// The same as the client sent it: a behaviour changes `form` for moto.
    pub(crate) asked: Form,
    /// Filters that moto cannot apply, because it does not know what is filtered by; applied to its answer.
    pub(crate) filters: BTreeMap<&'static str, Vec<String>>,
    /// The rules that refer to groups and that the call names, with their descriptions.
    pub(crate) references: Vec<(Rule, Option<String>)>,
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
}

impl Call {
    /// Reads a request.
    pub(crate) fn read(head: Parts, body: Bytes) -> Self {
        let header = |name: &str| head.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
        // `Credential=KEY/DATE/REGION/SERVICE/aws4_request`
        let scope = header("authorization").split("Credential=").nth(1).unwrap_or_default();
        let mut scope = scope.split([',', ' ']).next().unwrap_or_default().split('/').skip(2);
        let region = scope.next().unwrap_or("us-east-1").to_owned();
        let service = Service::signed(scope.next().unwrap_or_default());
        let is_form = header("content-type").starts_with("application/x-www-form-urlencoded");
        let mut form = if is_form { Form::read(&body) } else { Form::default() };
        let action = match (form.get("Action"), header("x-amz-target").rsplit_once('.')) {
            (Some(action), _) => action.to_owned(),
            (None, Some((_, action))) => action.to_owned(),
            (None, None) => format!("{} {}", head.method, head.uri.path()),
        };
        form.remove("Action");
        form.remove("Version");
        let asked = form.clone();
        Self {
            service,
            region,
            action,
            form,
            asked,
            filters: BTreeMap::new(),
            references: Vec::new(),
            head,
            body,
        }
    }

    /// Whether it is this call.
    pub(crate) fn is(&self, service: Service, action: &str) -> bool {
        self.service == service && self.action == action
    }

    /// Whether it only reads.
    pub(crate) fn reads(&self) -> bool {
        ["Describe", "Get", "List", "Lookup", "Search", "GET "].iter().any(|it| self.action.starts_with(it))
    }

    /// Whether it is of a service that speaks in forms and XML.
    pub(crate) fn is_form(&self) -> bool {
        matches!(
            self.service,
            Service::Ec2 | Service::Rds | Service::Balancing | Service::Scaling | Service::Caches
        )
    }

    /// Takes a filter out of what moto sees.
    pub(crate) fn hold_filter(&mut self, name: &'static str) {
        if let Some(values) = self.form.take_filter(name) {
            self.filters.insert(name, values);
        }
    }

    /// Whether a value meets a filter that was held.
    pub(crate) fn admits(&self, filter: &str, value: &str) -> bool {
        let values = self.filters.get(filter);
        values.is_none_or(|values| values.iter().any(|pattern| crate::form::matches(pattern, value)))
    }
}
