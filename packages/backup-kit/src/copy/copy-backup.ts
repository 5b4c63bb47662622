import { readAll, sourceOf } from '@waltz/bytes'
import { isFault, throwIfAborted } from '@waltz/errors'
import {
  backupFolder,
  decodeManifest,
  encodeManifest,
  filesMetadataKey,
  leaseKey,
  manifestKey,
  metadataKey,
  partsPrefix,
  sentinelKey,
  type BackupManifest,
  type ManifestPart,
  type StoredForm,
} from '@waltz/repository'
import { atOnce, createFormMeter, formOf, isSealedKey, sameForm } from '@waltz/repository/rotation'
import { objectExists } from '@waltz/storage/tools'
import type { ObjectInfo } from '@waltz/storage'
import { requireLasting } from './before-announcing.ts'
import type { ChosenBackup } from './choose-backups.ts'
import { createTally, type CopyContext, type CopyTally } from './copy-context.ts'
import { conflictFault, damagedSourceFault, goneFault, incompleteFault } from './copy-faults.ts'
import type { CopiedBackup, MarksApart } from './copy-options.ts'
import { copyPlain, discardBad, type CopiedObject, type ObjectJob } from './copy-plain.ts'
import { copySealed } from './copy-sealed.ts'
import { joinListings, type JoinedObject } from './joined-listing.ts'
import { marksApart } from './marks-apart.ts'
import { putNew } from './put-new.ts'
import type { DocumentEdits } from './rewrite-document.ts'
import { routedKey } from './stored-route.ts'

const MAX_MANIFEST_BYTES = 64 << 20

/** One backup on its way. */
interface Work {
  readonly context: CopyContext
  readonly backup: ChosenBackup
  readonly tally: CopyTally
  readonly manifest: BackupManifest | undefined
  /** The parts that its manifest has, by name. */
  readonly known: ReadonlyMap<string, ManifestPart>
  /** The target announces it already; `trusted`: and what it has needs no other look. */
  readonly announced: boolean
  readonly trusted: boolean
  /** New forms of parts by their old names; kept where there is a manifest to be made from them. */
  readonly forms: Map<string, { readonly name: string; readonly form: StoredForm }>
  /** Of the copied parts. */
  parts: number
  storedBytes: number
}

/**
 * Copies one finished backup: parts and file list, then manifest and metadata, then the sentinel that announces it. At no moment does the
 * target announce a backup that is not whole there.
 * @throws Fault as `copyPlain` and `copySealed`; `corrupt` `COPY_SOURCE_INCOMPLETE`. Then it is not announced.
 */
export async function copyBackup(context: CopyContext, backup: ChosenBackup): Promise<CopiedBackup> {
  const found = await objectExists(context.from, sentinelKey(backup.name), context.call)
  if (found === undefined) throw goneFault(backup.name)
  const sentinel = await jobFor(context, found, sentinelEdits(context, backup, 0))
  const announced = sentinel.there !== undefined
  const tally = createTally(context)
  // Compared before anything is sent: another backup of the same name must not be mixed with this one.
  if (announced) await copyPlain(context, sentinel)
  const manifest = await readManifest(context, backup.name)
  const work: Work = {
    context,
    backup,
    tally,
    manifest,
    known: new Map(manifest?.parts.map((part) => [part.name, part])),
    announced,
    trusted: announced && context.options.recheck !== true,
    forms: new Map(),
    parts: 0,
    storedBytes: 0,
  }
  await atOnce(folderObjects(context, backup.name), context.lanes, async (pair) => {
    throwIfAborted(context.call.signal)
    await copyOne(work, pair)
  })
  if (work.parts === 0) throw incompleteFault(backup.name, 'there is no part of it')
  for (const name of work.known.keys())
    if (!work.forms.has(name)) throw incompleteFault(backup.name, `its manifest names ${name}, which is not there`)
  const marks = await copyDocuments(work)
  await announce(work)
  const outcome = announced ? 'present' : 'copied'
  return { name: backup.name, outcome, sent: tally.sent, present: tally.present, ...(marks !== undefined && { marks }) }
}

/** The sentinel, when all that it tells of is there, and will stay. */
async function announce(work: Work): Promise<void> {
  const { context, backup, announced, storedBytes } = work
  if (!announced && !context.dryRun) await requireLasting(context, backup)
  const copied = await copyDocument(work, sentinelKey(backup.name), sentinelEdits(context, backup, storedBytes))
  if (copied === undefined) throw goneFault(backup.name)
}

/** Everything in the folder that can be copied as it comes; documents that come last or are made anew are left out. */
async function* folderObjects(context: CopyContext, name: string): AsyncGenerator<JoinedObject, void, undefined> {
  const { from, to, call, route } = context
  const folder = backupFolder(name)
  const later = new Set([metadataKey(name), manifestKey(name), leaseKey(name), ...(route.recompresses ? [filesMetadataKey(name)] : [])])
  const pairs = route.recompresses ? askedFor(context, folder) : joinListings(from.list(folder, call), to.list(folder, call))
  for await (const pair of pairs) if (!later.has(pair.source.key)) yield pair
}

async function* askedFor({ from, to, call, route }: CopyContext, folder: string): AsyncGenerator<JoinedObject, void, undefined> {
  for await (const source of from.list(folder, call)) yield { source, there: await objectExists(to, routedKey(route, source.key), call) }
}

async function copyOne(work: Work, { source, there }: JoinedObject): Promise<void> {
  const { context, backup, known, trusted } = work
  const key = routedKey(context.route, source.key)
  const part = source.key.startsWith(partsPrefix(backup.name)) ? (known.get(baseOf(source.key)) ?? 'unknown') : undefined
  const isKnown = part !== undefined && part !== 'unknown'
  const forms = isKnown ? [part, ...(part.alternatives ?? [])] : filesForm(work, source.key)
  const job = { source, key, there, trusted, ...(forms !== undefined && { known: forms }) }
  const copied = await copyInRoute(work, job, isKnown ? part.payloadBytes : undefined)
  work.tally.done(key, copied.outcome, copied.size)
  if (part === undefined) return
  work.parts += 1
  work.storedBytes += copied.size
  if (isKnown) work.forms.set(part.name, { name: baseOf(key), form: copied.form ?? part })
}

async function copyInRoute({ context, backup, announced }: Work, job: ObjectJob, payloadBytes: number | undefined): Promise<CopiedObject> {
  if (!context.route.changes || !isSealedKey(job.source.key)) return await copyPlain(context, job)
  // Another form of it would not be the one that the manifest over there has.
  if (announced && job.there === undefined) throw conflictFault(sentinelKey(backup.name), `${job.key} is missing there`)
  return await copySealed(context, { ...job, payloadBytes })
}

const baseOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1)

function filesForm({ manifest, backup }: Work, key: string): readonly StoredForm[] | undefined {
  return key === filesMetadataKey(backup.name) && manifest?.filesMetadata !== undefined ? [manifest.filesMetadata] : undefined
}

/** What describes the parts, once it is known what they are. */
async function copyDocuments(work: Work): Promise<MarksApart | undefined> {
  const { context, backup, storedBytes } = work
  const { route } = context
  const renamePart = (name: string): string => route.nameFor(name)
  const list = route.recompresses ? await copyDocument(work, filesMetadataKey(backup.name), { renamePart }) : undefined
  if (route.changes) await writeManifest(work, list)
  else await copyDocument(work, manifestKey(backup.name), undefined)
  const numbers = new Map([['compressed_size', storedBytes]])
  return await copyMetadata(work, route.changes ? { numbers } : undefined)
}

/** The one document that changes after the backup is finished: a mark that was given on one side only is no conflict. */
async function copyMetadata(work: Work, edits: DocumentEdits | undefined): Promise<MarksApart | undefined> {
  const { context, backup, tally } = work
  const key = metadataKey(backup.name)
  try {
    await copyDocument(work, key, edits)
    return undefined
  } catch (error) {
    if (!isFault(error, 'conflict') || error.code !== 'COPY_CONFLICT') throw error
    const marks = await marksApart(context, key, edits?.numbers?.keys())
    if (marks === undefined) throw error
    const [here, there] = marks.target ? ['is not', 'is'] : ['is', 'is not']
    context.warn(`${backup.name} ${here} permanent in the source and ${there} in the target: the target's mark stays`)
    tally.done(key, 'present', (await context.to.head(key, context.call)).size)
    return marks
  }
}

/** Sizes and, where the file list is in it, names. */
function sentinelEdits({ route }: CopyContext, { embeddedFiles }: ChosenBackup, storedBytes: number): DocumentEdits | undefined {
  if (!route.changes) return undefined
  const numbers = new Map([['compressedsize', storedBytes]])
  return route.recompresses && embeddedFiles ? { numbers, renamePart: (name) => route.nameFor(name) } : { numbers }
}

async function copyDocument(work: Work, key: string, edits: DocumentEdits | undefined): Promise<CopiedObject | undefined> {
  const { context, tally } = work
  const source = await objectExists(context.from, key, context.call)
  if (source === undefined) return undefined
  const known = filesForm(work, key)
  // Small, and some of them change by and by: these are always compared. A file list is neither.
  const trusted = work.trusted && key === filesMetadataKey(work.backup.name)
  const job = { ...(await jobFor(context, source, edits)), trusted, ...(known !== undefined && { known }) }
  const copied = await copyPlain(context, job)
  tally.done(key, copied.outcome, copied.size)
  return copied
}

async function jobFor({ to, call }: CopyContext, source: ObjectInfo, edits: DocumentEdits | undefined): Promise<ObjectJob> {
  const { key } = source
  return { source, key, there: await objectExists(to, key, call), trusted: false, ...(edits !== undefined && { edits }) }
}

/** The manifest of what is in the target: the same parts in their new forms. */
async function writeManifest(
  { context, manifest, backup, forms, announced, trusted, tally }: Work,
  list: CopiedObject | undefined,
): Promise<void> {
  if (manifest === undefined || context.dryRun) return
  const { to, call } = context
  const key = manifestKey(backup.name)
  const there = await objectExists(to, key, call)
  if (there !== undefined && trusted) return tally.done(key, 'present', there.size)
  if (announced && there === undefined) throw conflictFault(sentinelKey(backup.name), `${key} is missing there`)
  const parts = manifest.parts.flatMap(({ name, payloadBytes }) => {
    const found = forms.get(name)
    return found === undefined ? [] : [{ name: found.name, size: found.form.size, sha256: found.form.sha256, payloadBytes }]
  })
  const bytes = encodeManifest({ ...manifest, parts, filesMetadata: list?.form ?? manifest.filesMetadata })
  const form = await formOf(sourceOf(bytes))
  const outcome = await putNew(to, async (condition) => {
    try {
      if (there !== undefined) return 'present'
      await to.put(key, sourceOf(bytes), { ...call, ...condition, size: bytes.length, contentType: 'application/json' })
      return 'sent'
    } catch (error) {
      if (!isFault(error, 'already-exists')) throw error
      return 'present'
    }
  })
  await using body = await to.get(key, call)
  if (!sameForm(await formOf(body), form)) {
    if (outcome === 'present') throw conflictFault(key, 'it describes other parts')
    throw await discardBad(context, key, 'the target gives back other bytes than were sent')
  }
  tally.done(key, outcome, bytes.length)
}

async function readManifest({ from, call }: CopyContext, name: string): Promise<BackupManifest | undefined> {
  const key = manifestKey(name)
  try {
    await using body = await from.get(key, call)
    const meter = createFormMeter()
    const bytes = await readAll(meter.through(body), MAX_MANIFEST_BYTES)
    if (meter.form().size !== body.info.size) throw damagedSourceFault(key, 'not all of it was read')
    return decodeManifest(bytes, { origin: key })
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}
