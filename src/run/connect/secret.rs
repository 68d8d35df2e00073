//! Credentials: where they come from, and a type that cannot print them.
//!
//! The environment is the caller's: values are handed in. Nothing here logs, and no message repeats a secret.

use std::fmt;
use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};

/// A secret. Shows itself to nobody but the code that asks for it by name, and is wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a secret over.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(SecretString::from(text.into()))
    }

    /// The secret itself, for a request and nothing else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The same secret in the type of the `secrecy` crate.
    pub fn into_inner(self) -> SecretString {
        self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why there are no credentials, with the next step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CredentialError(String);

/// The address of an inbound webhook, whole: `https://PORTAL/rest/USER/SECRET/` (Bitrix24 sheet §1.1).
#[derive(Clone, Debug)]
pub struct Webhook {
    /// `https` or, on loopback, `http`.
    scheme: &'static str,
    /// The portal's host in lower case, with the port if one is named.
    host: String,
    /// `/rest/1/secret`, without a slash at the end.
    path: Secret,
}

impl Webhook {
    /// Reads an address as the portal shows it; a method at its end is taken off.
    ///
    /// # Errors
    /// What is wrong with it, without the address itself.
    pub fn parse(address: &str) -> Result<Webhook, CredentialError> {
        let wrong = |why: &str| {
            CredentialError(format!(
                "`B2N_BITRIX24_WEBHOOK` {why}: copy the whole address that the portal shows under inbound webhooks, \
                 `https://PORTAL/rest/USER/SECRET/`"
            ))
        };
        let Address { scheme, host, path } = Address::parse(address).map_err(|why| wrong(&why))?;
        let mut segments = path.split('/').filter(|s| !s.is_empty());
        let (Some("rest"), Some(user), Some(secret)) = (segments.next(), segments.next(), segments.next())
        else {
            return Err(wrong("has no `/rest/USER/SECRET/` in it"));
        };
        if !user.bytes().all(|b| b.is_ascii_digit()) || !secret.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(wrong("has no number and secret after `/rest/`"));
        }
        Ok(Webhook { scheme, host, path: Secret::new(format!("/rest/{user}/{secret}")) })
    }

    /// The portal's host: its account id.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address of a method. Secret.
    pub(super) fn method(&self, method: &str) -> String {
        format!("{}://{}{}/{method}", self.scheme, self.host, self.path.expose())
    }

    /// A link that the portal gave, whole: one without a host is its own, and a portal on this machine is asked at its
    /// own address whatever host its links name.
    pub(super) fn at_home(&self, link: &str) -> String {
        let path = match link.split_once("://") {
            Some(_) if self.scheme == "https" => return link.to_owned(),
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => link,
        };
        format!("{}://{}{path}", self.scheme, self.host)
    }

    /// The same webhook on the host that the portal was renamed to, if `location` is an address of the same method.
    pub(super) fn moved(&self, location: &str, method: &str) -> Option<Webhook> {
        let Address { scheme, host, path } = Address::parse(location).ok()?;
        let same = path.trim_end_matches('/') == format!("{}/{method}", self.path.expose());
        (same && host != self.host).then(|| Webhook { scheme, host, path: self.path.clone() })
    }
}

/// What Nutshell wants to know.
#[derive(Clone, Debug)]
pub struct NutshellLogin {
    /// Where the API is, without a slash at the end.
    pub url: String,
    /// The user's e-mail address.
    pub user: String,
    /// The API key.
    pub key: Secret,
}

/// Both systems' credentials; each may be missing until it is needed.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    webhook: Option<Secret>,
    nutshell_url: Option<String>,
    nutshell_user: Option<String>,
    nutshell_key: Option<Secret>,
}

impl Credentials {
    /// From environment values: `value` is asked for each name; empty counts as unset.
    pub fn from_values(value: impl Fn(&str) -> Option<String>) -> Credentials {
        let value = |name: &str| value(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        Credentials {
            webhook: value("B2N_BITRIX24_WEBHOOK").map(Secret::new),
            nutshell_url: value("B2N_NUTSHELL_URL"),
            nutshell_user: value("B2N_NUTSHELL_USER"),
            nutshell_key: value("B2N_NUTSHELL_KEY").map(Secret::new),
        }
    }

    /// The webhook of the portal.
    ///
    /// # Errors
    /// It is not set, or not an address of a webhook.
    pub fn webhook(&self) -> Result<Webhook, CredentialError> {
        let missing = "`B2N_BITRIX24_WEBHOOK` is not set: make an inbound webhook in the portal as an administrator, \
                       with the scopes `crm`, `user`, `task`, `telephony`, `catalog` and `bizproc`, and set it to \
                       the whole address";
        Webhook::parse(self.webhook.as_ref().ok_or_else(|| CredentialError(missing.to_owned()))?.expose())
    }

    /// The login of Nutshell.
    ///
    /// # Errors
    /// A part is not set, or the address is not one.
    pub fn nutshell(&self) -> Result<NutshellLogin, CredentialError> {
        let missing =
            |name: &str, what: &str| CredentialError(format!("`{name}` is not set: set it to {what}"));
        let user = self.nutshell_user.clone().ok_or_else(|| {
            missing("B2N_NUTSHELL_USER", "the e-mail address of the user whose API key is used")
        })?;
        let key = self.nutshell_key.clone().ok_or_else(|| {
            missing("B2N_NUTSHELL_KEY", "an API key made in Nutshell under setup, API keys")
        })?;
        let url = self.nutshell_url.as_deref().unwrap_or("https://app.nutshell.com");
        let Address { scheme, host, path } = Address::parse(url).map_err(|why| {
            CredentialError(format!("`B2N_NUTSHELL_URL` {why}: unset it to use the vendor's"))
        })?;
        Ok(NutshellLogin { url: format!("{scheme}://{host}{}", path.trim_end_matches('/')), user, key })
    }
}

/// An address in parts.
struct Address {
    scheme: &'static str,
    host: String,
    path: String,
}

impl Address {
    fn parse(address: &str) -> Result<Address, String> {
        let lower = address.get(..8).unwrap_or(address).to_ascii_lowercase();
        let scheme = if lower.starts_with("https://") {
            "https"
        } else if lower.starts_with("http://") {
            "http"
        } else {
            return Err("is not an https address".to_owned());
        };
        let rest = &address[scheme.len() + 3..];
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let host = host.to_ascii_lowercase();
        let host =
            if scheme == "https" { host.strip_suffix(":443").unwrap_or(&host).to_owned() } else { host };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']' | b'_');
        if host.is_empty() || !host.bytes().all(plain) {
            return Err("names no host, or one with a login in it".to_owned());
        }
        if scheme == "http" && !is_loopback(&host) {
            return Err("is plain http, which is allowed on this machine only".to_owned());
        }
        Ok(Address { scheme, host, path: path.to_owned() })
    }
}

/// Whether a host, possibly with a port, is this machine.
pub(in crate::run::connect) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "https://Acme.bitrix24.com/rest/1/s3cr3tw0rd/";

    fn credentials(values: &[(&str, &str)]) -> Credentials {
        Credentials::from_values(|name| values.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn no_secret_is_ever_printed() {
        let credentials = credentials(&[
            ("B2N_BITRIX24_WEBHOOK", ADDRESS),
            ("B2N_NUTSHELL_USER", "a@acme.example"),
            ("B2N_NUTSHELL_KEY", "k3yk3yk3y"),
        ]);
        let webhook = credentials.webhook().unwrap();
        let login = credentials.nutshell().unwrap();
        let shown = format!("{credentials:?} {webhook:#?} {login:?} {:?}", Secret::new("s3cr3tw0rd"));
        assert!(!shown.contains("s3cr3tw0rd") && !shown.contains("k3yk3yk3y"), "{shown}");
        assert_eq!(webhook.method("profile"), "https://acme.bitrix24.com/rest/1/s3cr3tw0rd/profile");
        assert_eq!(login.key.expose(), "k3yk3yk3y");
    }

    #[test]
    fn errors_tell_the_next_step_and_no_secret() {
        for bad in [
            "http://acme.bitrix24.com/rest/1/s3cr3tw0rd/",
            "https://acme.bitrix24.com/s3cr3tw0rd",
            "https://acme.bitrix24.com/rest/x/s3cr3tw0rd",
            "https://me:s3cr3tw0rd@acme.bitrix24.com/rest/1/x/",
            "s3cr3tw0rd",
            "https:///rest/1/s3cr3tw0rd",
            "ftp://acme.bitrix24.com/rest/1/s3cr3tw0rd",
            "é://s3cr3tw0rd",
        ] {
            let error = Webhook::parse(bad).unwrap_err().to_string();
            assert!(error.contains("inbound webhooks") && !error.contains("s3cr3tw0rd"), "{error}");
        }
        assert!(credentials(&[]).webhook().unwrap_err().to_string().contains("B2N_BITRIX24_WEBHOOK"));
        assert!(credentials(&[]).nutshell().unwrap_err().to_string().contains("B2N_NUTSHELL_USER"));
        let only_user = credentials(&[("B2N_NUTSHELL_USER", "a@acme.example"), ("B2N_NUTSHELL_KEY", " ")]);
        assert!(only_user.nutshell().unwrap_err().to_string().contains("B2N_NUTSHELL_KEY"));
    }

    #[test]
    fn plain_http_on_loopback_only() {
        for good in ["http://127.0.0.1:8081", "http://localhost:1", "http://[::1]:80", "https://example.com"]
        {
            assert!(Webhook::parse(&format!("{good}/rest/1/abc/profile.json")).is_ok(), "{good}");
        }
        for bad in ["http://127.0.0.1.example.com", "http://localhost.example.com", "http://10.0.0.1"] {
            assert!(Webhook::parse(&format!("{bad}/rest/1/abc/")).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rename_keeps_the_path() {
        let webhook = Webhook::parse(ADDRESS).unwrap();
        let moved = webhook.moved("https://new.bitrix24.com/rest/1/s3cr3tw0rd/batch", "batch").unwrap();
        assert_eq!(moved.host(), "new.bitrix24.com");
        for other in [
            "https://new.bitrix24.com/login?back=/rest/1/s3cr3tw0rd/batch",
            "http://new.bitrix24.com/rest/1/s3cr3tw0rd/batch",
            "https://acme.bitrix24.com/rest/1/s3cr3tw0rd/batch",
            "/rest/1/s3cr3tw0rd/batch",
        ] {
            assert!(webhook.moved(other, "batch").is_none(), "{other}");
        }
    }
}
