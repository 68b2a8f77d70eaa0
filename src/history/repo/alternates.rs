//! Alternates: folders of objects that other folders of objects name.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use super::super::control::{self, Links};
use super::{CONFIG, Repo, Trust};
use crate::pack;

/// How far alternates of alternates are followed, as git does.
const ALTERNATES: usize = 5;

/// Most folders that hold alternates.
const MOST_ALTERNATES: usize = 1000;

impl Repo {
    pub(super) fn follow_alternates(&mut self, own: PathBuf, trust: &Trust) {
        let mut seen = BTreeSet::from([own.clone()]);
        let mut queue = VecDeque::from([(own, 0)]);
        for given in &trust.alternates {
            match fs::canonicalize(given) {
                Ok(folder) if folder.is_dir() => {
                    if seen.insert(folder.clone()) {
                        queue.push_back((folder, 0));
                    }
                }
                Ok(_) => self.skip(given, "alternate objects: not a folder"),
                Err(error) => self.skip(given, format!("alternate objects: {error}")),
            }
        }
        while let Some((folder, depth)) = queue.pop_front() {
            let pack = folder.join("pack");
            let is_link = fs::symlink_metadata(&pack).is_ok_and(|meta| meta.is_symlink());
            if is_link && self.links == Links::Refuse {
                self.skip(&pack, "a link, which is not followed");
                continue;
            }
            self.alternates_of(&folder, depth, trust, &mut seen, &mut queue);
            self.object_dirs.push(folder);
        }
    }

    fn alternates_of(
        &mut self,
        folder: &Path,
        depth: usize,
        trust: &Trust,
        seen: &mut BTreeSet<PathBuf>,
        queue: &mut VecDeque<(PathBuf, usize)>,
    ) {
        let file = folder.join("info").join("alternates");
        // The reader below has no limit of its own.
        let named = match control::read_if_there(&file, CONFIG, Links::Refuse) {
            Ok(None) => return,
            Ok(Some(_)) => pack::alternates(folder).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let named = match named {
            Ok(named) => named,
            Err(error) => return self.skip(&file, error),
        };
        let follow = trust.owns(&self.git_dir) && trust.owns(folder) && trust.owns(&file);
        for target in named {
            if !follow {
                let reason = format!(
                    "alternate objects in {} are not read: the repository is not known to be yours",
                    target.display()
                );
                self.skip(&file, reason);
                continue;
            }
            if depth >= ALTERNATES || seen.len() >= MOST_ALTERNATES {
                self.skip(&file, "too many alternates of alternates");
                return;
            }
            match fs::canonicalize(&target) {
                Ok(canon) if canon.is_dir() => {
                    if seen.insert(canon.clone()) {
                        queue.push_back((canon, depth + 1));
                    }
                }
                Ok(_) => self.skip(&target, "alternate objects: not a folder"),
                Err(error) => self.skip(&target, format!("alternate objects: {error}")),
            }
        }
    }
}
