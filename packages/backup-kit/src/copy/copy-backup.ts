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
import type { ChosenBackup } from './choose-backups.ts'
import { createTally, type CopyContext, type CopyTally } from './copy-context.ts'
import { conflictFault, damagedSourceFault, incompleteFault } from './copy-faults.ts'
import type { CopiedBackup } from './copy-options.ts'
import { copyPlain, discardBad, type CopiedObject, type ObjectJob } from './copy-plain.ts'
import { copySealed } from './copy-sealed.ts'
import { joinListings, type JoinedObject } from './joined-listing.ts'
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
  const sentinel = await jobFor(context, sentinelKey(backup.name), sentinelEdits(context, backup, 0))
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
  await copyDocuments(work)
  await copyDocument(work, sentinelKey(backup.name), sentinelEdits(context, backup, work.storedBytes))
  return { name: backup.name, outcome: announced ? 'present' : 'copied', sent: tally.sent, present: tally.present }
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
async function copyDocuments(work: Work): Promise<void> {
  const { context, backup, storedBytes } = work
  const { route } = context
  const renamePart = (name: string): string => route.nameFor(name)
  const list = route.recompresses ? await copyDocument(work, filesMetadataKey(backup.name), { renamePart }) : undefined
  if (route.changes) await writeManifest(work, list)
  else await copyDocument(work, manifestKey(backup.name), undefined)
  const numbers = new Map([['compressed_size', storedBytes]])
  await copyDocument(work, metadataKey(backup.name), route.changes ? { numbers } : undefined)
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
  const job = { ...(await jobFor(context, key, edits, source)), trusted, ...(known !== undefined && { known }) }
  const copied = await copyPlain(context, job)
  tally.done(key, copied.outcome, copied.size)
  return copied
}

// oxlint-disable-next-line max-params -- the object is only given where it is known already
async function jobFor(context: CopyContext, key: string, edits: DocumentEdits | undefined, found?: ObjectInfo): Promise<ObjectJob> {
  const { from, to, call } = context
  const source = found ?? (await from.head(key, call))
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
