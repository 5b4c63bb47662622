import { waltzFolder } from '../layout.ts'
import { decodeOwnRecord, encodeOwnRecord, required } from '../own-record.ts'
import type { JsonOrigin } from '../json-text.ts'
import { Fault } from '@waltz/errors'

/**
 * What a deletion is about to do in one storage, noted before it removes anything: sentinels go first, so a run that ends in the middle
 * leaves folders that look like backups being written. The next run finds this and goes on.
 */
export interface RemovalIntent {
  /** Of the plan that is carried out. */
  readonly plan: string
  /** For people: the command. */
  readonly command: string
  /** By the clock of the process. */
  readonly startedAt: string
  /** The newest modification time among the objects that the plan saw, by the store's clock: what is newer is not part of it. */
  readonly seenUntil: string
  /** Backups whose sentinel goes, and whose folder goes with it. */
  readonly backups: readonly string[]
  /** The same of `catchup_005/`. */
  readonly catchups: readonly string[]
  /**
   * Which WAL goes as far as no backup needs it: none, all, or what stands before this name of a segment (24 digits; earlier timelines as
   * a whole).
   */
  readonly walBefore: string | undefined
}

const VERSION = 1
const INTENTS = `${waltzFolder}deletions/`

/** Where a deletion notes what it is about to do. `id` is fit for a key and unique. */
export function removalIntentKey(id: string): string {
  return `${INTENTS}${id}.json`
}

/** Whether a key is that of such a note. */
export function isRemovalIntentKey(key: string): boolean {
  return key.startsWith(INTENTS) && key.endsWith('.json') && key !== removalLeaseKey
}

/** The lease that keeps two deletions apart: see `createLease`. */
export const removalLeaseKey: string = `${INTENTS}lease.json`

/** The object's bytes. */
export function encodeRemovalIntent(intent: RemovalIntent): Uint8Array {
  const { plan, command, startedAt, seenUntil, backups, catchups, walBefore } = intent
  return encodeOwnRecord(VERSION, {
    plan,
    command,
    startedAt,
    seenUntil,
    backups,
    catchups,
    ...(walBefore === undefined ? {} : { walBefore }),
  })
}

/** @throws Fault `corrupt` `JSON_INVALID` or `JSON_FIELD_INVALID`, `unsupported` `RECORD_VERSION_UNSUPPORTED`. */
export function decodeRemovalIntent(input: Uint8Array, { origin }: JsonOrigin): RemovalIntent {
  const fields = decodeOwnRecord(input, VERSION, { origin })
  const text = (name: string): string => required(fields, name, fields.text(name))
  const walBefore = fields.text('walBefore')
  if (walBefore !== undefined && walBefore !== 'all' && !/^[0-9A-F]{24}$/.test(walBefore))
    throw fields.invalid('walBefore', 'a segment name')
  if (Number.isNaN(Date.parse(text('seenUntil')))) throw fields.invalid('seenUntil', 'a time')
  return {
    plan: text('plan'),
    command: text('command'),
    startedAt: text('startedAt'),
    seenUntil: text('seenUntil'),
    backups: names(fields.value('backups'), origin),
    catchups: names(fields.value('catchups'), origin),
    walBefore,
  }
}

function names(value: unknown, origin: string): readonly string[] {
  if (Array.isArray(value) && value.every((item): item is string => typeof item === 'string' && item !== '' && !item.includes('/')))
    return value
  throw new Fault('corrupt', 'JSON_FIELD_INVALID', `${origin} does not list names of backups`)
}
