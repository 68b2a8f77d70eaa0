//! Providers that a block of a rule file declares.

use super::{Authority, Done, Effect, Failure, Net, Object, Provider, Revoke, Terms};
use crate::model::{ConfirmedLeak, Credential, Doubt, Verification};
use crate::rule::block;

/// A `[verify.*]` block.
pub struct Declared<'b>(&'b block::Verify);
/// A `[revoke.*]` block.
pub struct DeclaredRevoke<'b>(&'b block::Revoke, &'b str);
impl<'b> Declared<'b> {
    /// Of a block.
    #[must_use]
    pub fn new(block: &'b block::Verify) -> Self {
        Self(block)
    }
}
impl<'b> DeclaredRevoke<'b> {
    /// Of a block and the provider's name.
    #[must_use]
    pub fn new(block: &'b block::Revoke, provider: &'b str) -> Self {
        Self(block, provider)
    }
}
impl Provider for Declared<'_> {
    fn preview(&self, _key: &Credential) -> Result<Vec<String>, Doubt> {
        let _ = self.0;
        Ok(Vec::new())
    }
    fn verify(&self, _net: &dyn Net, _key: &Credential) -> Verification {
        Verification::Unsupported
    }
}
impl Revoke for DeclaredRevoke<'_> {
    fn terms(&self, _key: &Credential) -> Terms {
        unimplemented!("{} {}", self.0.object, self.1)
    }
    fn find(
        &self,
        _net: &dyn Net,
        _leak: &ConfirmedLeak<'_>,
        _authority: &Authority,
    ) -> Result<Object, Failure> {
        Ok(Object::default())
    }
    fn effect(
        &self,
        _net: &dyn Net,
        _leak: &ConfirmedLeak<'_>,
        _authority: &Authority,
        _object: &Object,
        _stage: usize,
    ) -> Effect {
        Effect::NotThere
    }
    fn run(
        &self,
        _net: &dyn Net,
        _leak: &ConfirmedLeak<'_>,
        _authority: &Authority,
        _object: &Object,
        _stage: usize,
    ) -> Result<Done, Failure> {
        Err(Failure::NotSent(String::new()))
    }
    fn preview(
        &self,
        _key: &Credential,
        _authority: &Authority,
        _stage: usize,
    ) -> Result<String, Doubt> {
        Ok(String::new())
    }
}
