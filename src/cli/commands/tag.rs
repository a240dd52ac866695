//! `eart tag`

use std::io::Write;

use serde::Serialize;

use crate::cli::human::width;
use crate::cli::output::{ID, Json, NAME, time};
use crate::cli::{CliError, Context, Exit, values};
use crate::id::RunId;
use crate::progress::{Monitor, Problem};
use crate::repo::LATEST;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A tag names one run until it is moved or deleted, and gc never removes that run.

Examples:
  eart tag                    list the tags
  eart tag baseline           tag the newest run, or move the tag there
  eart tag v1.2 3fa9c1
  eart tag -d v1.2")]
pub(in crate::cli) struct Args {
    /// The tag to set; without it tags are listed
    #[arg(value_parser = values::run_name)]
    name: Option<String>,
    /// The run to tag [default: latest]
    run: Option<String>,
    /// Delete tags
    #[arg(short, long, value_name = "NAME", num_args = 1.., conflicts_with_all = ["name", "run"])]
    delete: Vec<String>,
    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Output {
    tag: String,
    run: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed: Option<jiff::Timestamp>,
    /// The run that a tag was on before it was set or deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<RunId>,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    if !args.delete.is_empty() {
        return delete(context, args);
    }
    match &args.name {
        Some(name) => set(context, args, name),
        None => list(context, args),
    }
}

fn list(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let (catalog, refs) = (repo.catalog()?, repo.readable_refs()?);
    for (tag, reason) in &refs.damaged {
        context.problem(Problem { path: format!("refs/tags/{tag}:"), what: reason.clone() });
    }
    let tags: Vec<Output> = refs
        .tags
        .into_iter()
        .map(|(tag, id)| {
            let meta = catalog.get(&id).map(|run| &run.meta);
            let (name, committed) = (meta.map(|m| m.name.clone()), meta.map(|m| m.committed));
            Output { tag, run: Some(id), name, committed, before: None }
        })
        .collect();
    let wide = width(tags.iter().map(|tag| &tag.tag));
    context.show(args.json, &tags, |out| {
        for Output { tag, run, name, committed, .. } in &tags {
            let tag = out.paint(NAME, format_args!("{tag:<wide$}"));
            let id = out.paint(ID, run.map(|run| run.short()).unwrap_or_default());
            match (name, committed) {
                (Some(name), Some(at)) => writeln!(out, "{tag}  {id}  {}  {name}", time(*at))?,
                _ => writeln!(out, "{tag}  {id}  the run is not there any more")?,
            }
        }
        Ok(())
    })?;
    Ok(context.exit())
}

fn set(context: &Context, args: &Args, tag: &str) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let run = repo.show(args.run.as_deref().unwrap_or(LATEST))?.record;
    let before = repo.set_tag(tag, run.id)?;
    let (id, meta) = (run.id, run.meta);
    let (name, committed) = (Some(meta.name.clone()), Some(meta.committed));
    let output = Output { tag: tag.to_owned(), run: Some(id), name, committed, before };
    context.show(args.json, &output, |out| {
        let (tag, short) = (out.paint(NAME, tag), out.paint(ID, id.short()));
        match before {
            Some(before) if before == id => {
                writeln!(out, "{tag} is on {short} {} already", meta.name)
            }
            Some(before) => {
                let before = out.paint(ID, before.short());
                writeln!(out, "Moved {tag} from {before} to {short} {}", meta.name)
            }
            None => writeln!(out, "Tagged {short} {} as {tag}", meta.name),
        }
    })
}

fn delete(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let mut done = Vec::new();
    for tag in &args.delete {
        let before = repo.remove_tag(tag)?;
        done.push(Output { tag: tag.clone(), run: None, name: None, committed: None, before });
    }
    context.show(args.json, &done, |out| {
        for Output { tag, before, .. } in &done {
            let tag = out.paint(NAME, tag);
            match before {
                Some(run) => {
                    writeln!(out, "Deleted {tag} (was on {})", out.paint(ID, run.short()))?
                }
                None => writeln!(out, "Deleted {tag}")?,
            }
        }
        Ok(())
    })
}
