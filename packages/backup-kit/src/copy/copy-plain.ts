import { isFault, type Fault } from '@waltz/errors'
import type { ByteSource } from '@waltz/bytes'
import type { StoredForm } from '@waltz/repository'
import { createFormMeter, formOf, sameForm } from '@waltz/repository/rotation'
import { objectExists } from '@waltz/storage/tools'
import type { ObjectInfo } from '@waltz/storage'
import type { CopyContext } from './copy-context.ts'
import { conflictFault, damagedSourceFault, notStoredFault } from './copy-faults.ts'
import type { CopyOutcome } from './copy-options.ts'
import { createTagMeter, md5TagOf, sameTag, withheld } from './object-forms.ts'
import { putNew } from './put-new.ts'
import { rewriteDocument, type DocumentEdits } from './rewrite-document.ts'

/** One object to copy. */
export interface ObjectJob {
  readonly source: ObjectInfo
  /** In the target. */
  readonly key: string
  /** What the target has under that key. */
  readonly there: ObjectInfo | undefined
  /** What the source's manifest says of it; more than one while keys are being changed. */
  readonly known?: readonly StoredForm[] | undefined
  /** It belongs to a backup that the target announces: it was compared before that. */
  readonly trusted: boolean
  /** What changes in a document on the way. Numbers do not count when it is compared. */
  readonly edits?: DocumentEdits | undefined
}

/** What became of it. */
export interface CopiedObject {
  readonly outcome: CopyOutcome
  /** Stored bytes in the target. */
  readonly size: number
  /** The same with its hash, where it was read or written here. */
  readonly form?: StoredForm
}

/**
 * Copies an object whose bytes stay as they are, except for what `edits` change. Nothing that is there is ever replaced.
 * @throws Fault `conflict` `COPY_CONFLICT` when the target has something else under the key; `corrupt` `COPY_SOURCE_DAMAGED` when the
 * source is not what its manifest says, before anything is stored; `corrupt` `COPY_NOT_STORED` when the target gives back something else.
 */
export async function copyPlain(context: CopyContext, job: ObjectJob): Promise<CopiedObject> {
  const { there, source } = job
  if (there !== undefined) return await presentOne(context, job, there)
  if (context.dryRun) return { outcome: 'sent', size: source.size }
  const { copyInside } = context.options
  if (copyInside !== undefined && job.edits === undefined) return await insideOne(context, job, copyInside)
  return await sendOrCompare(context, job.key, {
    send: () => sendOne(context, job),
    compare: (found) => presentOne(context, job, found),
  })
}

/** Sends an object; when it has appeared in the target meanwhile, compares it with what is there. */
export async function sendOrCompare(
  { to, call }: CopyContext,
  key: string,
  { send, compare }: { readonly send: () => Promise<CopiedObject>; readonly compare: (found: ObjectInfo) => Promise<CopiedObject> },
): Promise<CopiedObject> {
  try {
    return await send()
  } catch (error) {
    if (!isFault(error, 'already-exists')) throw error
    const found = await objectExists(to, key, call)
    if (found === undefined) throw error
    return await compare(found)
  }
}

async function presentOne(context: CopyContext, job: ObjectJob, there: ObjectInfo): Promise<CopiedObject> {
  const { source, edits, trusted, key } = job
  const present: CopiedObject = { outcome: 'present', size: there.size }
  if (edits === undefined && there.size !== source.size)
    throw conflictFault(key, `it has ${there.size} bytes there and ${source.size} in the source`)
  if (trusted || context.bySize || (edits === undefined && sameTag(source, there))) return present
  const [wanted, found] =
    edits === undefined ? [await formOfSource(context, job), await formIn(context, 'to', key)] : await formsApartFrom(context, job, edits)
  if (!sameForm(wanted, found)) throw conflictFault(key, 'its bytes differ')
  return { ...present, form: found }
}

/** As the manifest says, where it says one thing; else as it is read. */
async function formOfSource(context: CopyContext, { known = [], source }: ObjectJob): Promise<StoredForm> {
  const [one] = known
  return one !== undefined && known.length === 1 && one.size === source.size ? one : await formIn(context, 'from', source.key)
}

/** Of both sides, with zeros for the numbers that are changed. */
async function formsApartFrom(
  context: CopyContext,
  { source, key }: ObjectJob,
  edits: DocumentEdits,
): Promise<readonly [StoredForm, StoredForm]> {
  const zeros = { numbers: new Map([...(edits.numbers?.keys() ?? [])].map((name) => [name, 0] as const)) }
  return [await formIn(context, 'from', source.key, { ...edits, ...zeros }), await formIn(context, 'to', key, zeros)]
}

/** What the bytes of an object come to, perhaps with changes. */
// oxlint-disable-next-line max-params -- most objects have no edits
async function formIn(context: CopyContext, side: 'from' | 'to', key: string, edits?: DocumentEdits): Promise<StoredForm> {
  await using body = await context[side].get(key, context.call)
  return await formOf(edits === undefined ? body : rewriteDocument(body, edits))
}

async function insideOne(
  { to, call }: CopyContext,
  { source, key }: ObjectJob,
  copyInside: (key: string, signal?: AbortSignal) => Promise<void>,
): Promise<CopiedObject> {
  // A listing may be old, and this kind of copy would replace what came since.
  if ((await objectExists(to, key, call)) !== undefined) throw conflictFault(key, 'it appeared there during the copy')
  await copyInside(key, call.signal)
  const stored = await to.head(key, call)
  if (stored.size !== source.size) throw notStoredFault(key, `it has ${stored.size} of ${source.size} bytes`, { removed: false })
  return { outcome: 'inside', size: stored.size }
}

async function sendOne(context: CopyContext, { source, key, known, edits }: ObjectJob): Promise<CopiedObject> {
  const { from, to, call } = context
  return await putNew(to, async (condition) => {
    await using body = await from.get(source.key, call)
    const [read, sent, tag] = [createFormMeter(), createFormMeter(), createTagMeter()]
    let form: StoredForm | undefined
    const opened: ByteSource = read.through(body)
    const changed = edits === undefined ? opened : rewriteDocument(opened, edits)
    const checked = withheld(tag.through(sent.through(changed)), () => {
      requireKnown(source.key, read.form(), { known, size: body.info.size })
      form = sent.form()
    })
    const stored = await to.put(key, checked, { ...call, ...condition, ...(edits === undefined && { size: body.info.size }) })
    // The store has read to the end, or it would have failed.
    const written = form as unknown as StoredForm
    if (stored.size !== written.size || !(context.bySize || md5TagOf(stored) === tag.tag())) await requireStored(context, key, written)
    return { outcome: 'sent', size: written.size, form: written }
  })
}

/** @throws Fault `corrupt` `COPY_SOURCE_DAMAGED` when what was read is none of the forms that the manifest accepts. */
export function requireKnown(
  key: string,
  read: StoredForm,
  { known, size }: { readonly known: readonly StoredForm[] | undefined; readonly size: number },
): void {
  if (read.size !== size) throw damagedSourceFault(key, `${read.size} of its ${size} bytes were read`)
  if (known !== undefined && known.length > 0 && !known.some((form) => sameForm(form, read)))
    throw damagedSourceFault(key, 'it is not what the manifest of its backup says')
}

/** Reads back what was stored; what is wrong is removed again. */
async function requireStored(context: CopyContext, key: string, form: StoredForm): Promise<void> {
  if (sameForm(await formIn(context, 'to', key), form)) return
  throw await discardBad(context, key, 'the target gives back other bytes than were sent')
}

/** Removes what was stored here a moment ago and is wrong; the fault to throw, which says so when it is still there. */
export async function discardBad({ to, call }: CopyContext, key: string, what: string): Promise<Fault> {
  try {
    await to.delete([key], call)
    return notStoredFault(key, what, { removed: true })
  } catch (error) {
    return notStoredFault(key, what, { removed: false, cause: error })
  }
}
