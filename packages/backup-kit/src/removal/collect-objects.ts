import { createHash, type Hash } from 'node:crypto'
import type { TimelineId } from '@waltz/pg-structures'
import { parseBackupName } from '@waltz/repository'
import { classifyKey, formatPosition, isRemovalIntentKey, removalLeaseKey, type KeyClass } from '@waltz/repository/removal'
import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts'
import type { Decided } from './decide.ts'
import type { ObjectSpool, SpooledObject, SpoolFolder } from './object-spool.ts'
import type { ObjectSum, PlannedObject, RemovalPhase, RemovalPlan, WalSum } from './removal-plan.ts'
import { isOldCatchup } from './removal-scope.ts'
import type { RepositorySurvey } from './survey-repository.ts'
import type { StorageSurvey } from './survey-storage.ts'
import type { WalClass } from './wal-sum.ts'

/** The objects that go, in files, with sums and a hash over them. */
export interface CollectedObjects {
  readonly sums: RemovalPlan['sums']
  readonly wal: readonly WalSum[]
  readonly catchups: RemovalPlan['catchups']
  /** Not closed yet. */
  readonly hash: Hash
  readonly objects: RemovalPlan['objects']
}

interface Collector {
  /** Notes an object that goes. */
  readonly add: (phase: RemovalPhase, storage: string, object: SpooledObject) => void | Promise<void>
}

/** How long an unfinished backup for standbys counts as being written after its newest object. */
const WRITTEN_WITHIN_MS = 86_400_000

/** Goes through what was listed and picks what goes. Memory: sums for each timeline, and the sentinels that go. */
export async function collectObjects(survey: RepositorySurvey, decided: Decided, spools: SpoolFolder): Promise<CollectedObjects> {
  const hash = createHash('sha256')
  const sums = emptySums()
  const files = new Map<RemovalPhase, { readonly storage: string; readonly spool: ObjectSpool }[]>()
  const sentinels = sentinelsThatGo(decided)
  const take = (phase: RemovalPhase, storage: string, { key, size, mark }: SpooledObject): void => {
    sums[phase] = { objects: sums[phase].objects + 1, bytes: sums[phase].bytes + size }
    hash.update(`${phase}\t${storage}\t${JSON.stringify(key)}\t${size}\t${mark}\n`)
  }
  for (const { storage, object } of sentinels) take('sentinels', storage, object)
  const wal: WalSum[] = []
  const catchups: RemovalPlan['catchups'][number][] = []
  for (const [index, one] of survey.storages.entries()) {
    const { name } = one.storage
    for (const phase of FILED)
      files.set(phase, [...(files.get(phase) ?? []), { storage: name, spool: spools.create(`${index}.${phase}.goes`) }])
    const collector: Collector = {
      add(phase, storage, object) {
        take(phase, storage, object)
        return files.get(phase)?.at(-1)?.spool.add(object)
      },
    }
    await collectBackups(one, decided, collector)
    catchups.push(...(await collectCatchups(one, decided, collector)))
    wal.push(...(await collectWal(one, decided, collector)))
    if (decided.choice.wholeRepository === true && decided.nothingStays) await collectOwn(one, collector)
  }
  return {
    sums,
    wal,
    catchups,
    hash,
    async *objects(phase) {
      if (phase === 'sentinels') yield* sentinels.map(({ storage, object }): PlannedObject => ({ ...object, storage, phase }))
      for (const { storage, spool } of files.get(phase) ?? []) for await (const object of spool.read()) yield { ...object, storage, phase }
    },
  }
}

const FILED: readonly RemovalPhase[] = ['backups', 'catchups', 'wal', 'waltz']

function emptySums(): Record<RemovalPhase, ObjectSum> {
  const none: ObjectSum = { objects: 0, bytes: 0 }
  return { sentinels: none, backups: none, catchups: none, wal: none, waltz: none }
}

/** Increments before what they are made from, so that whatever is left after an interruption is whole. */
function sentinelsThatGo({ plan, byId }: Decided): readonly { readonly storage: string; readonly object: SpooledObject }[] {
  const entries = plan.remove.flatMap(({ backup }) => byId.get(backup.id) ?? [])
  return deepestFirst(entries).flatMap(({ storage, sentinel }) => {
    if (sentinel === undefined) return []
    const { key, size, modifiedAt, modifiedAtNs, etag } = sentinel
    return [
      { storage, object: { key, size, modifiedMs: modifiedAt.getTime(), mark: etag ?? String(modifiedAtNs ?? modifiedAt.getTime()) } },
    ]
  })
}

/** The depth that a sentinel states is not trusted: damaged ones are among what goes. */
function deepestFirst(entries: readonly CatalogueEntry[]): readonly CatalogueEntry[] {
  const byName = new Map(entries.map((entry) => [`${entry.storage}/${entry.name}`, entry]))
  const depths = new Map<CatalogueEntry, number>()
  const depthOf = (entry: CatalogueEntry): number => {
    const known = depths.get(entry)
    if (known !== undefined) return known
    depths.set(entry, 0) // ends a circle
    const parent = entry.increment === undefined ? undefined : byName.get(`${entry.storage}/${entry.increment.parent}`)
    const depth = parent === undefined ? 0 : depthOf(parent) + 1
    depths.set(entry, depth)
    return depth
  }
  for (const entry of entries) depthOf(entry)
  return entries.toSorted((left, right) => (depths.get(right) ?? 0) - (depths.get(left) ?? 0))
}

async function collectBackups({ storage, spools }: StorageSurvey, { plan, byId }: Decided, { add }: Collector): Promise<void> {
  const names = new Set(
    plan.remove.flatMap(({ backup }) => byId.get(backup.id) ?? []).flatMap((entry) => (entry.storage === storage.name ? [entry.name] : [])),
  )
  for await (const object of spools.backups.read()) {
    const known = classifyKey(object.key)
    if (known.kind === 'backup-object' && names.has(known.backup)) await add('backups', storage.name, object)
  }
}

async function collectCatchups(
  { storage, spools, catchups, intents }: StorageSurvey,
  { choice, plan }: Decided,
  { add }: Collector,
): Promise<RemovalPlan['catchups']> {
  const condemned = new Set(intents.flatMap(({ intent }) => intent.catchups))
  const rows = catchups.map(({ name, walFileName, finished, bytes, newestAt }) => {
    const isYoung = !finished && plan.now.getTime() - newestAt.getTime() < WRITTEN_WITHIN_MS
    const isOld = condemned.has(name) || isOldCatchup({ walFileName }, choice.catchupsBefore)
    const keep = !isOld || (isYoung && !condemned.has(name))
    const why = choice.catchupsBefore === 'all' ? 'everything goes' : 'it began before the WAL that stays: nothing can bring it up to date'
    const reason = keep ? (isOld ? 'it is being written' : 'nobody asked for its removal') : why
    return { storage: storage.name, name, keep, reason, bytes }
  })
  const names = new Set(rows.filter(({ keep }) => !keep).map(({ name }) => name))
  const going = async (isSentinel: boolean): Promise<void> => {
    for await (const object of spools.catchups.read()) {
      const known = classifyKey(object.key)
      if (isSentinel !== (known.kind === 'sentinel')) continue
      if (
        (known.kind === 'sentinel' || known.kind === 'backup-object') &&
        parseBackupName(known.backup) !== undefined &&
        names.has(known.backup)
      )
        await add('catchups', storage.name, object)
    }
  }
  if (names.size > 0) {
    await going(true)
    await going(false)
  }
  return rows
}

async function collectWal({ storage, spools }: StorageSurvey, decided: Decided, { add }: Collector): Promise<readonly WalSum[]> {
  const timelines = new Map<TimelineId, MutableWalSum>()
  const all = decided.choice.wholeRepository === true && decided.nothingStays
  for await (const object of spools.wal.read()) {
    const known = classifyKey(object.key)
    if (known.kind !== 'wal' && known.kind !== 'timeline-history') continue
    const goes = all || (known.kind === 'wal' && decided.walGoes(known, object.modifiedMs))
    note(timelines, known, object, goes)
    if (!goes) continue
    const waiting = add('wal', storage.name, object)
    if (waiting !== undefined) await waiting
  }
  return [...timelines.values()]
    .toSorted((left, right) => left.timeline - right.timeline)
    .map(({ timeline, kept, removed, from, to }) => ({
      storage: storage.name,
      timeline,
      kept,
      removed,
      removedFrom: from === undefined ? undefined : formatPosition(timeline, from),
      removedTo: to === undefined ? undefined : formatPosition(timeline, to),
    }))
}

interface MutableWalSum {
  readonly timeline: TimelineId
  readonly kept: { objects: number; bytes: number }
  readonly removed: { objects: number; bytes: number }
  from: bigint | undefined
  to: bigint | undefined
}

function note(
  timelines: Map<TimelineId, MutableWalSum>,
  known: WalClass | Extract<KeyClass, { kind: 'timeline-history' }>,
  { size }: SpooledObject,
  goes: boolean,
): void {
  let sum = timelines.get(known.timeline)
  if (sum === undefined) {
    sum = { timeline: known.timeline, kept: { objects: 0, bytes: 0 }, removed: { objects: 0, bytes: 0 }, from: undefined, to: undefined }
    timelines.set(known.timeline, sum)
  }
  const part = goes ? sum.removed : sum.kept
  part.objects += 1
  part.bytes += size
  if (!goes || known.kind !== 'wal') return
  if (sum.from === undefined || known.first < sum.from) sum.from = known.first
  if (sum.to === undefined || known.first > sum.to) sum.to = known.first
}

/** What Waltz keeps about the repository. The notes and the lease of deletions are taken away by the deletion itself. */
async function collectOwn({ storage, spools }: StorageSurvey, { add }: Collector): Promise<void> {
  for await (const object of spools.waltz.read())
    if (object.key !== removalLeaseKey && !isRemovalIntentKey(object.key)) await add('waltz', storage.name, object)
}
