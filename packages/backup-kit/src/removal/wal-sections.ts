import { segmentsPerHigh, type TimelineId } from '@waltz/pg-structures'
import { positionOf, type KeyClass, type SegmentPlace } from '@waltz/repository/removal'
import type { ObjectSpool, SpooledObject, SpoolRange } from './object-spool.ts'
import { comparePlaces, type WalClass } from './wal-sum.ts'

/** Objects of `wal_005/` that were listed one after the other: what is decided of all of them needs no look at a single one. */
export interface WalSection extends SpoolRange {
  readonly timeline: TimelineId
  /** Histories of timelines, and what was noted beside them, are in sections of their own. */
  readonly isHistory: boolean
  readonly objects: number
  readonly bytes: number
  /** The newest modification time, in milliseconds. */
  readonly newestMs: number
  /** The least and the greatest position where one of them begins; both 0 for histories. */
  readonly first: bigint
  readonly last: bigint
  /** Whether a name in it cannot exist with segments of this size: where such ones end is not in the order of names. */
  readonly isOdd: boolean
}

/** What is put into sections. */
export type ArchivedClass = WalClass | Extract<KeyClass, { readonly kind: 'timeline-history' }>

/** Puts objects into a spool and tells in which parts of it they are. */
export interface WalSections {
  add(known: ArchivedClass, object: SpooledObject): void
  /** All that was added. */
  sections(): readonly WalSection[]
}

/** More would be read again where a limit is in the middle, fewer would be much to remember. */
const MOST_OBJECTS = 1000

interface OpenSection extends Omit<WalSection, 'first' | 'last'> {
  to: number
  objects: number
  bytes: number
  newestMs: number
  first: SegmentPlace
  last: SegmentPlace
  isOdd: boolean
}

const NOWHERE: SegmentPlace = { high: 0, low: 0 }

/** Memory: one record for a thousand objects. */
export function createWalSections(spool: ObjectSpool, segmentBytes: number | undefined): WalSections {
  const perHigh = segmentBytes === undefined ? Infinity : segmentsPerHigh(segmentBytes)
  const done: WalSection[] = []
  let current: OpenSection | undefined
  const close = (): void => {
    if (current !== undefined)
      done.push({ ...current, to: spool.position(), first: positionOf(current.first), last: positionOf(current.last) })
    current = undefined
  }
  const sectionFor = (known: ArchivedClass): OpenSection => {
    const isHistory = known.kind === 'timeline-history'
    const { timeline } = known
    if (current !== undefined && (current.timeline !== timeline || current.isHistory !== isHistory || current.objects >= MOST_OBJECTS))
      close()
    if (current === undefined) {
      const first = known.kind === 'wal' ? known : NOWHERE
      const from = spool.position()
      current = { from, to: from, timeline, isHistory, objects: 0, bytes: 0, newestMs: 0, first, last: first, isOdd: false }
    }
    return current
  }
  return {
    add(known, object) {
      const section = sectionFor(known)
      section.objects += 1
      section.bytes += object.size
      if (object.modifiedMs > section.newestMs) section.newestMs = object.modifiedMs
      if (known.kind === 'wal') {
        if (comparePlaces(known, section.last) > 0) section.last = known
        else if (comparePlaces(known, section.first) < 0) section.first = known
        if (known.low >= perHigh) section.isOdd = true
      }
      spool.add(object)
    },
    sections() {
      close()
      return done
    },
  }
}
