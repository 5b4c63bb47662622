import { createHash, type Hash } from 'node:crypto'
import type { TimelineId } from '@waltz/pg-structures'
import { parseBackupName } from '@waltz/repository'
import { classifyKey, formatPosition, isRemovalIntentKey, positionOf, removalLeaseKey } from '@waltz/repository/removal'
import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts'
import { addToSums, createCollection, type Collection, type FiledPhase, type GoingPart, type Sums } from './collection.ts'
import type { Decided } from './decide.ts'
import type { SpooledObject, SpoolFolder } from './object-spool.ts'
import type { ObjectSum, PlannedObject, RemovalPlan, WalSum } from './removal-plan.ts'
import { isOldCatchup, type WalRule } from './removal-scope.ts'
import type { RepositorySurvey } from './survey-repository.ts'
import type { StorageSurvey } from './survey-storage.ts'

/** The objects that go, in files, with sums and a hash over them. */
export interface CollectedObjects {
  readonly sums: RemovalPlan['sums']
  readonly wal: readonly WalSum[]
  readonly catchups: RemovalPlan['catchups']
  /** Not closed yet. */
  readonly hash: Hash
  readonly objects: RemovalPlan['objects']
}

/** Goes through what was listed and picks what goes. Memory: sums for each timeline, the sentinels that go, and where the others are. */
export async function collectObjects(survey: RepositorySurvey, decided: Decided, spools: SpoolFolder): Promise<CollectedObjects> {
  const hash = createHash('sha256')
  const sums = emptySums()
  const sentinels = sentinelsThatGo(decided)
  for (const { storage, object } of sentinels) {
    const { key, size, mark } = object
    addToSums(sums, 'sentinels', { objects: 1, bytes: size })
    hash.update(`sentinels\t${storage}\t${JSON.stringify(key)}\t${size}\t${mark}\n`)
  }
  const wal: WalSum[] = []
  const catchups: RemovalPlan['catchups'][number][] = []
  const collections: Collection[] = []
  for (const [index, one] of survey.storages.entries()) {
    const collection = createCollection(one.storage.name, sums, (phase) => spools.create(`${index}.${phase}.goes`))
    collections.push(collection)
    collectBackups(one, decided, collection)
    catchups.push(...(await collectCatchups(one, { ...decided, writtenWithinMs: survey.writtenWithinMs }, collection)))
    wal.push(...(await collectWal(one, decided, collection)))
    if (decided.choice.wholeRepository === true && decided.nothingStays) await collectOwn(one, collection)
    for (const phase of FILED) await collection.hashInto(hash, phase)
  }
  return {
    sums,
    wal,
    catchups,
    hash,
    async *objects(phase) {
      if (phase === 'sentinels') yield* sentinels.map(({ storage, object }): PlannedObject => ({ ...object, storage, phase }))
      else for (const collection of collections) yield* collection.objects(phase)
    },
  }
}

const FILED: readonly FiledPhase[] = ['backups', 'catchups', 'wal', 'waltz']

function emptySums(): Sums {
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

function collectBackups({ storage, spools, folders }: StorageSurvey, { plan, byId }: Decided, { addPart }: Collection): void {
  const names = new Set(
    plan.remove.flatMap(({ backup }) => byId.get(backup.id) ?? []).flatMap((entry) => (entry.storage === storage.name ? [entry.name] : [])),
  )
  for (const { backup, from, to, objects, bytes } of folders)
    if (names.has(backup)) addPart('backups', { spool: spools.backups, from, to }, { objects, bytes })
}

async function collectCatchups(
  { storage, spools, catchups, intents }: StorageSurvey,
  { choice, plan, writtenWithinMs }: Decided & Pick<RepositorySurvey, 'writtenWithinMs'>,
  { add, settle }: Collection,
): Promise<RemovalPlan['catchups']> {
  const condemned = new Set(intents.flatMap(({ intent }) => intent.catchups))
  const rows = catchups.map(({ name, walFileName, finished, bytes, newestAt }) => {
    const isYoung = !finished && plan.now.getTime() - newestAt.getTime() < writtenWithinMs
    const isOld = condemned.has(name) || isOldCatchup({ walFileName }, choice.catchupsBefore)
    const keep = !isOld || (isYoung && !condemned.has(name))
    const why = choice.catchupsBefore === 'all' ? 'everything goes' : 'it began before the WAL that stays: nothing can bring it up to date'
    const reason = keep ? (isOld ? 'it is being written' : 'nobody asked for its removal') : why
    return { storage: storage.name, name, keep, reason, bytes }
  })
  const names = new Set(rows.filter(({ keep }) => !keep).map(({ name }) => name))
  const going = async (isSentinel: boolean): Promise<void> => {
    for await (const objects of spools.catchups.read()) {
      for (const object of objects) {
        const known = classifyKey(object.key)
        if (isSentinel !== (known.kind === 'sentinel')) continue
        if (known.kind !== 'sentinel' && known.kind !== 'backup-object') continue
        if (parseBackupName(known.backup) !== undefined && names.has(known.backup)) add('catchups', object)
      }
      await settle('catchups')
    }
  }
  if (names.size > 0) {
    await going(true)
    await going(false)
  }
  return rows
}

async function collectWal(
  { storage, spools, sections }: StorageSurvey,
  decided: Decided,
  collection: Collection,
): Promise<readonly WalSum[]> {
  const timelines = new Map<TimelineId, MutableWalSum>()
  const all = decided.choice.wholeRepository === true && decided.nothingStays
  for (const section of sections) {
    const { timeline, isHistory, from, to, first, last } = section
    const sum = sumOf(timelines, timeline)
    const goes = all ? 'all' : isHistory ? 'none' : decided.walRule.ofSection(section)
    if (goes === 'none') note(sum.kept, section)
    else if (goes === 'some') await collectSome({ spool: spools.wal, from, to }, { rule: decided.walRule, sum, collection })
    else {
      note(sum.removed, section)
      if (!isHistory) noteLimits(sum, first, last)
      collection.addPart('wal', { spool: spools.wal, from, to }, section)
    }
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

/** Looks at each object of a section that goes in part. */
async function collectSome(
  { spool, from, to }: GoingPart,
  { rule, sum, collection }: { readonly rule: WalRule; readonly sum: MutableWalSum; readonly collection: Collection },
): Promise<void> {
  for await (const objects of spool.read({ from, to })) {
    for (const object of objects) {
      const known = classifyKey(object.key)
      const one = { objects: 1, bytes: object.size }
      if (known.kind === 'wal' && rule.goes(known, object.modifiedMs)) {
        note(sum.removed, one)
        noteLimits(sum, positionOf(known), positionOf(known))
        collection.add('wal', object)
      } else note(sum.kept, one)
    }
    await collection.settle('wal')
  }
}

function sumOf(timelines: Map<TimelineId, MutableWalSum>, timeline: TimelineId): MutableWalSum {
  let sum = timelines.get(timeline)
  if (sum === undefined) {
    sum = { timeline, kept: { objects: 0, bytes: 0 }, removed: { objects: 0, bytes: 0 }, from: undefined, to: undefined }
    timelines.set(timeline, sum)
  }
  return sum
}

function note(sum: { objects: number; bytes: number }, { objects, bytes }: ObjectSum): void {
  sum.objects += objects
  sum.bytes += bytes
}

function noteLimits(sum: MutableWalSum, first: bigint, last: bigint): void {
  if (sum.from === undefined || first < sum.from) sum.from = first
  if (sum.to === undefined || last > sum.to) sum.to = last
}

/** What Waltz keeps about the repository. The notes and the lease of deletions are taken away by the deletion itself. */
async function collectOwn({ spools }: StorageSurvey, { add, settle }: Collection): Promise<void> {
  for await (const objects of spools.waltz.read()) {
    for (const object of objects) if (object.key !== removalLeaseKey && !isRemovalIntentKey(object.key)) add('waltz', object)
    await settle('waltz')
  }
}
