import type { ByteSource } from '@waltz/bytes'
import { Fault, isFault } from '@waltz/errors'
import type { CallOptions, ObjectInfo, ObjectStore } from '@waltz/storage'
import type { StoredForm } from '../manifest.ts'
import { findKey, readHead, type NamedKey } from './find-key.ts'
import type { ManifestKeeper } from './manifest-keeper.ts'
import { sideFolder, type SealedObject } from './sealed-objects.ts'
import { createFormMeter, formOf, sameForm } from './stored-form.ts'

/** What objects are rotated with. */
export interface RotationContext {
  readonly store: ObjectStore
  readonly current: NamedKey
  /** All keys, the current one first. */
  readonly keys: readonly NamedKey[]
  readonly plaintext: 'leave' | 'encrypt'
  readonly call: CallOptions
}

/** The original as it was read, and its new form beside it. */
interface SideObject {
  readonly key: string
  /** Of the original. */
  readonly original: ObjectInfo
  readonly from: StoredForm
  readonly to: StoredForm
  /** Of what is inside both. */
  readonly content: StoredForm
}

/**
 * Brings one object under the current key, unless it is there already. When it fails, the original is what it was; only when the failure
 * is `ROTATION_NOT_STORED`, the new form stays in the side folder as well.
 */
export async function rotateObject(
  context: RotationContext,
  object: SealedObject,
  manifest: ManifestKeeper | undefined,
): Promise<'rotated' | 'already' | 'plain'> {
  const { store, call, keys, current } = context
  const found = await findKey(await readHead(store, object.key, { ...call, keys }), keys)
  if (found.kind === 'none') throw keyMissing(object.key, found.framing)
  if (found.kind === 'key' && found.key === current) {
    await settleInterrupted(context, object, manifest)
    return 'already'
  }
  if (found.kind === 'plain' && context.plaintext === 'leave') return 'plain'
  await rewrite(context, object, { opener: found.kind === 'key' ? found.key : undefined, manifest })
  return 'rotated'
}

async function rewrite(
  context: RotationContext,
  { key, part }: SealedObject,
  { opener, manifest }: { readonly opener: NamedKey | undefined; readonly manifest: ManifestKeeper | undefined },
): Promise<void> {
  const name = part?.name ?? ''
  let keep = false
  try {
    const side = await writeSide(context, key, opener)
    await verifySide(context, side)
    await manifest?.announce(name, side.from, side.to)
    await replaceOriginal(context, key, side)
    keep = true // until it is certain that the original is whole
    await requireStored(context, key, side.to)
    keep = false
    manifest?.settle(name, side.to)
  } finally {
    if (!keep) await discard(context, sideFolder + key)
  }
}

/** A part that was replaced, or was not, when an earlier run ended: now it is known which. */
async function settleInterrupted(
  { store, call }: RotationContext,
  { key, part }: SealedObject,
  manifest: ManifestKeeper | undefined,
): Promise<void> {
  if (part === undefined || manifest?.undecided(part.name) !== true) return
  await using body = await store.get(key, call)
  manifest.settle(part.name, await formOf(body))
}

async function writeSide({ store, call, current }: RotationContext, key: string, opener: NamedKey | undefined): Promise<SideObject> {
  await using body = await store.get(key, call)
  const [stored, content, sealed] = [createFormMeter(), createFormMeter(), createFormMeter()]
  const source = stored.through(body)
  const opened = content.through(opener === undefined ? source : opener.cipher.decrypt(source))
  await store.put(sideFolder + key, sealed.through(current.cipher.encrypt(opened)), call)
  const from = stored.form()
  if (from.size !== body.info.size) throw changed(key, `${from.size} of its ${body.info.size} bytes were read`)
  return { key: sideFolder + key, original: body.info, from, to: sealed.form(), content: content.form() }
}

/** Reads back what was stored, with the key that will be left. */
async function verifySide({ store, call, current }: RotationContext, side: SideObject): Promise<void> {
  await using body = await store.get(side.key, call)
  const stored = createFormMeter()
  const content = await formOf(current.cipher.decrypt(stored.through(body)))
  if (sameForm(stored.form(), side.to) && sameForm(content, side.content)) return
  throw changed(side.key, 'what was stored does not hold what the original holds')
}

async function replaceOriginal({ store, call }: RotationContext, key: string, side: SideObject): Promise<void> {
  const now = await store.head(key, call)
  if (!isSame(now, side.original)) throw changed(key, 'somebody replaced it meanwhile')
  const put = async (condition: { readonly ifMatch?: string }): Promise<void> => {
    await using body = await store.get(side.key, call)
    await store.put(key, checked(body, side), { ...call, ...condition, size: side.to.size })
  }
  const { etag } = side.original
  if (!store.capabilities.ifMatch || etag === undefined) return await put({})
  try {
    await put({ ifMatch: etag })
  } catch (error) {
    // Some stores have no condition for objects that go in parts.
    if (!isFault(error) || error.code !== 'STORAGE_CONDITIONAL_PUT_UNSUPPORTED') throw error
    await put({})
  }
}

/** Withholds the last chunk until all of them are known to be right: a put that ends too early stores nothing. */
async function* checked(source: ByteSource, side: SideObject): AsyncGenerator<Uint8Array, void, undefined> {
  const meter = createFormMeter()
  let last: Uint8Array | undefined
  for await (const chunk of meter.through(source)) {
    if (last !== undefined) yield last
    last = chunk
  }
  if (!sameForm(meter.form(), side.to)) throw changed(side.key, 'it is not what was stored there a moment ago')
  if (last !== undefined) yield last
}

async function requireStored({ store, call }: RotationContext, key: string, form: StoredForm): Promise<void> {
  const { size } = await store.head(key, call)
  if (size === form.size) return
  throw new Fault('corrupt', 'ROTATION_NOT_STORED', `${key} has ${size} bytes, and ${form.size} were stored`, {
    hint: `The storage lost a part of it. The whole object is ${sideFolder}${key}: copy it back with waltz st get and waltz st put, without compression and encryption.`,
    context: { key, side: sideFolder + key },
  })
}

/** Whatever fails here is not what the caller is to hear of: what is left is removed by the next run. */
async function discard({ store, call }: RotationContext, key: string): Promise<void> {
  await store.delete([key], call).catch(() => undefined)
}

function isSame(one: ObjectInfo, other: ObjectInfo): boolean {
  if (one.size !== other.size || one.etag !== other.etag) return false
  return one.etag !== undefined || one.modifiedAt.getTime() === other.modifiedAt.getTime()
}

function changed(key: string, what: string): Fault {
  return new Fault('conflict', 'ROTATION_OBJECT_CHANGED', `${key}: ${what}`, {
    hint: 'Nothing was replaced. Run the command again; what is done is left out.',
    context: { key },
  })
}

function keyMissing(key: string, framing: string | undefined): Fault {
  return new Fault(
    'denied',
    'ROTATION_KEY_MISSING',
    `${key}: none of the configured keys opens it${framing === undefined ? '' : `; it looks like ${framing}`}`,
    {
      hint: 'Add its key to WALTZ_CRYPTO_PREVIOUS_KEYS. If that is there, the object is damaged at its beginning, or is not encrypted at all.',
      context: { key, framing: framing ?? 'unknown' },
    },
  )
}
