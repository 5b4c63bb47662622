import { isFault } from '@waltz/errors'
import type { StoredForm } from '@waltz/repository'
import { createFormMeter, formOf, sameForm } from '@waltz/repository/rotation'
import { objectExists } from '@waltz/storage/tools'
import type { ObjectInfo } from '@waltz/storage'
import type { CopyContext } from './copy-context.ts'
import { conflictFault, damagedSourceFault } from './copy-faults.ts'
import { discardBad, requireKnown, sendOrCompare, type CopiedObject, type ObjectJob } from './copy-plain.ts'
import { withheld } from './object-forms.ts'
import { putNew } from './put-new.ts'

/** A sealed object to copy; `payloadBytes` is what its manifest says of the length inside. */
export interface SealedJob extends ObjectJob {
  readonly payloadBytes?: number | undefined
}

/** A key that only encrypts. */
const ONE_WAY: ReadonlySet<string> = new Set(['CRYPTO_PRIVATE_KEY_MISSING', 'CRYPTO_KEY_LOCKED'])

/**
 * Copies a sealed object that is opened and sealed anew on the way. What was stored is read back: its bytes must be those that were sent
 * and, where the target's key opens them, hold what the source's held.
 * @throws Fault as `copyPlain`, and those of codecs and ciphers.
 */
export async function copySealed(context: CopyContext, job: SealedJob): Promise<CopiedObject> {
  const there = job.there ?? (await objectExists(context.to, job.key, context.call))
  if (there !== undefined) return await presentOne(context, job, there)
  if (context.dryRun) return { outcome: 'sent', size: job.source.size }
  return await sendOrCompare(context, job.key, {
    send: () => sendOne(context, job),
    compare: (found) => presentOne(context, job, found),
  })
}

/** Encrypted bytes are never the same twice: what counts is what is inside. */
async function presentOne(context: CopyContext, job: SealedJob, there: ObjectInfo): Promise<CopiedObject> {
  if (job.trusted) return { outcome: 'present', size: there.size }
  const { from, call, route } = context
  await using body = await from.get(job.source.key, call)
  const wanted = await formOf(await route.open(job.source.key, body))
  const found = await readBack(context, job.key)
  if (found.content === undefined && found.stored !== undefined)
    throw conflictFault(job.key, 'the key of the target only encrypts, so it cannot be told what is inside; remove it there')
  if (found.stored === undefined || found.content === undefined || !sameForm(wanted, found.content))
    throw conflictFault(job.key, 'it holds something else')
  return { outcome: 'present', size: there.size, form: found.stored }
}

async function sendOne(context: CopyContext, job: SealedJob): Promise<CopiedObject> {
  const { from, to, call, route } = context
  const { source, key, known, payloadBytes } = job
  return await putNew(to, async (condition) => {
    await using body = await from.get(source.key, call)
    const [read, content, sealed] = [createFormMeter(), createFormMeter(), createFormMeter()]
    let inside: StoredForm | undefined
    const opened = content.through(await route.open(source.key, read.through(body)))
    const checked = withheld(sealed.through(route.seal(opened)), () => {
      requireKnown(source.key, read.form(), { known, size: body.info.size })
      inside = content.form()
      if (route.recompresses && payloadBytes !== undefined && inside.size !== payloadBytes)
        throw damagedSourceFault(source.key, `it holds ${inside.size} bytes, and ${payloadBytes} by the manifest of its backup`)
    })
    await to.put(key, checked, { ...call, ...condition })
    const form = sealed.form()
    const found = await readBack(context, key)
    if (!isRight(found, form, inside)) throw await discardBad(context, key, 'the target gives back something else than was sent')
    return { outcome: 'sent', size: form.size, form }
  })
}

function isRight({ stored, content }: FoundForms, form: StoredForm, inside: StoredForm | undefined): boolean {
  if (stored === undefined || !sameForm(stored, form)) return false
  return content === undefined || (inside !== undefined && sameForm(content, inside))
}

/** Neither is known of an object that cannot be opened; without `content` the key only encrypts. */
interface FoundForms {
  readonly stored: StoredForm | undefined
  readonly content: StoredForm | undefined
}

/** What an object of the target comes to, and what is inside. */
async function readBack(context: CopyContext, key: string): Promise<FoundForms> {
  const { to, call, route } = context
  try {
    await using body = await to.get(key, call)
    const stored = createFormMeter()
    const content = await formOf(await route.openSealed(key, stored.through(body)))
    return { stored: stored.form(), content }
  } catch (error) {
    if (!isFault(error) || !/^(?:CODEC|CRYPTO|OBJECT)_/.test(error.code) || error.code.startsWith('CRYPTO_SERVICE')) throw error
    if (!ONE_WAY.has(error.code)) return { stored: undefined, content: undefined }
  }
  await using body = await to.get(key, call)
  return { stored: await formOf(body), content: undefined }
}
