//! stub
use crate::artifact::ArtifactType;
use crate::path::RelPath;
/// stub
#[derive(Debug, Clone, Copy)]
pub struct Detected {
    /// t
    pub artifact: ArtifactType,
    /// c
    pub content_type: Option<&'static str>,
}
/// stub
pub fn classify(_path: &RelPath, _head: &[u8]) -> Detected {
    Detected { artifact: ArtifactType::Custom, content_type: None }
}
