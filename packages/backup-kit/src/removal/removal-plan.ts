import type { TimelineId } from '@waltz/pg-structures'
import type { RestorableWindow, RetentionFinding, RetentionReason } from '@waltz/retention-policy'
import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts'
import type { SpooledObject } from './object-spool.ts'
import type { StoredIntent } from './survey-storage.ts'

/** What becomes of one backup, or of what is left of one. */
export interface RemovalDecision {
  readonly entry: CatalogueEntry
  readonly keep: boolean
  readonly reasons: readonly RetentionReason[]
  /** What it occupies in its storage. */
  readonly bytes: number
  /** Whether it can be restored now. */
  readonly restorable: boolean
  /** With which moments it can be restored when the plan has been carried out: to itself only, or to any later one. */
  readonly window: 'onward' | 'itself' | 'none'
}

/** An amount of objects. */
export interface ObjectSum {
  readonly objects: number
  readonly bytes: number
}

/** What becomes of the WAL of one timeline in one storage. */
export interface WalSum {
  readonly storage: string
  readonly timeline: TimelineId
  readonly kept: ObjectSum
  readonly removed: ObjectSum
  /** Names of the first and the last segment that something goes of. */
  readonly removedFrom: string | undefined
  readonly removedTo: string | undefined
}

/** The same with the reason for what stays of it. */
export interface WalDecision extends WalSum {
  readonly reason: string
}

/** In which order things go: what is removed early must not be needed by what is still there. */
export type RemovalPhase = 'sentinels' | 'backups' | 'catchups' | 'wal' | 'waltz'

/** An object that goes. */
export interface PlannedObject extends SpooledObject {
  readonly storage: string
  readonly phase: RemovalPhase
}

/** Why an object was left alone that a person may wonder about. */
export interface RemovalNote {
  readonly kind: RetentionFinding['kind'] | 'note' | 'foreign' | 'interrupted'
  readonly text: string
}

/** What a deletion would do, and why: a value to look at, and the objects in a file. Dispose of it to remove that. */
export interface RemovalPlan extends AsyncDisposable {
  /**
   * The moment the plan is for and the beginning of a hash over what goes (key, size, etag or time) and what protects the rest. The same
   * identifier means the same removal; objects and backups that came later do not change it.
   */
  readonly id: string
  readonly command: string
  readonly now: Date
  readonly storages: readonly string[]
  /** Storages that were not looked at. */
  readonly leftOut: readonly string[]
  /** The size of WAL segments in bytes, as backups and their names tell; undefined where they do not. */
  readonly segmentBytes: number | undefined
  /** By real start, newest first. */
  readonly decisions: readonly RemovalDecision[]
  readonly wal: readonly WalDecision[]
  readonly catchups: readonly {
    readonly storage: string
    readonly name: string
    readonly keep: boolean
    readonly reason: string
    readonly bytes: number
  }[]
  /** All that goes, by phase. */
  readonly sums: Readonly<Record<RemovalPhase, ObjectSum>>
  readonly windowsBefore: readonly RestorableWindow[]
  readonly windowsAfter: readonly RestorableWindow[]
  readonly notes: readonly RemovalNote[]
  /** Deletions that did not end: what they began goes with this one. */
  readonly interrupted: readonly (StoredIntent & { readonly storage: string })[]
  /** Notes of deletions that did end, but were locked: taken away as soon as they can be. */
  readonly endedNotes: readonly (StoredIntent & { readonly storage: string })[]
  /** Why nothing is to be done; undefined when something is. */
  readonly nothing: string | undefined
  /** See `RemovalIntent`: the newest modification time in each storage, and how far WAL goes. */
  readonly seenUntil: ReadonlyMap<string, Date>
  readonly walBefore: string | undefined
  /** What goes in a phase, storage by storage; sentinels of increments before those of what they are made from. */
  objects(phase: RemovalPhase): AsyncIterable<PlannedObject>
}

/** Objects of all phases together. */
export function totalOf(sums: RemovalPlan['sums']): ObjectSum {
  const all = Object.values(sums)
  return { objects: all.reduce((sum, { objects }) => sum + objects, 0), bytes: all.reduce((sum, { bytes }) => sum + bytes, 0) }
}
