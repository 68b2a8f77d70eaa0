//! The parts of AWS, and names of what is in them.

/// A part of AWS with accounts and keys of its own.
/// <https://docs.aws.amazon.com/general/latest/gr/sts.html>, <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Partition {
    /// As it stands in ARNs.
    pub(super) name: &'static str,
    /// Host of STS.
    pub(super) sts: &'static str,
    /// Host of IAM.
    pub(super) iam: &'static str,
    /// Region that requests to both are signed for.
    pub(super) region: &'static str,
    /// How its regions begin; empty for all that no other has.
    regions: &'static str,
}

pub(super) const PARTITIONS: &[Partition] = &[
    Partition {
        name: "aws",
        sts: "sts.amazonaws.com",
        iam: "iam.amazonaws.com",
        region: "us-east-1",
        regions: "",
    },
    Partition {
        name: "aws-us-gov",
        sts: "sts.us-gov-west-1.amazonaws.com",
        iam: "iam.us-gov.amazonaws.com",
        region: "us-gov-west-1",
        regions: "us-gov-",
    },
    Partition {
        name: "aws-cn",
        sts: "sts.cn-north-1.amazonaws.com.cn",
        iam: "iam.cn-north-1.amazonaws.com.cn",
        region: "cn-north-1",
        regions: "cn-",
    },
    Partition {
        name: "aws-eusc",
        sts: "sts.eusc-de-east-1.amazonaws.eu",
        iam: "iam.eusc-de-east-1.amazonaws.eu",
        region: "eusc-de-east-1",
        regions: "eusc-",
    },
];

impl Partition {
    pub(super) fn of_region(region: &str) -> &'static Self {
        PARTITIONS
            .iter()
            .skip(1)
            .find(|p| region.starts_with(p.regions))
            .unwrap_or(&PARTITIONS[0])
    }

    pub(super) fn named(name: &str) -> Option<&'static Self> {
        PARTITIONS.iter().find(|p| p.name == name)
    }
}

/// `arn:PARTITION:SERVICE::ACCOUNT:RESOURCE`.
pub(super) struct Arn<'a> {
    pub(super) partition: &'a str,
    pub(super) account: &'a str,
    pub(super) resource: &'a str,
}

impl<'a> Arn<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        if text.len() > 2048 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let mut fields = text.strip_prefix("arn:")?.splitn(5, ':');
        let partition = fields.next()?;
        let _service = fields.next()?;
        let _region = fields.next()?;
        Some(Self {
            partition,
            account: fields.next().filter(|a| is_account(a))?,
            resource: fields.next().filter(|r| !r.is_empty())?,
        })
    }

    /// The name of an IAM user, without its path.
    pub(super) fn user(&self) -> Option<&'a str> {
        let path = self.resource.strip_prefix("user/")?;
        path.rsplit('/').next().filter(|name| is_user_name(name))
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_User.html>
pub(super) fn is_user_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn long_arns_are_kept_whole() {
        let path = "p/".repeat(200);
        let arn = format!("arn:aws:iam::123456789012:user/{path}deploy");
        let read = Arn::read(&arn).unwrap();
        assert_eq!((read.partition, read.user()), ("aws", Some("deploy")));
        for bad in [
            "",
            "arn:aws",
            "arn:aws:iam::12:user/x",
            "arn:aws:iam::123456789012:",
            "arn:aws:iam::123456789012:user/a b",
        ] {
            assert!(Arn::read(bad).is_none(), "{bad}");
        }
    }
}
