import type { EntryFacts } from './entry-facts.ts'

/** One thing of a data directory that goes into the backup. */
export type ClusterEntry = ClusterDirectory | ClusterFile

/** A directory becomes a header without content. */
export interface ClusterDirectory {
  readonly kind: 'directory'
  /** Member name: a leading slash, none at the end; the data directory itself is `/` (RF 3.3). */
  readonly name: string
  readonly facts: EntryFacts
}

/** A regular file. Its size and times are taken when it is opened, not when it is found. */
export interface ClusterFile {
  readonly kind: 'file'
  readonly name: string
  /** Where its bytes are: below a tablespace's location, or behind a symbolic link. */
  readonly path: string
}

/** A symbolic link whose target was stored in its place, by its member name. */
export interface FollowedLink {
  readonly path: string
  readonly target: string
}

/** Something that was found and could not be stored, by its member name. */
export interface SkippedEntry {
  readonly path: string
  readonly reason: string
}

/** A tablespace outside the data directory: the link `pg_tblspc/<name>` and the folder that it leads to. */
export interface FoundTablespace {
  readonly name: string
  readonly location: string
}
