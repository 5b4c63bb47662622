import { createHash } from 'node:crypto'
import type { ByteSource } from '@waltz/bytes'
import type { StoredForm } from '../manifest.ts'

/** Measures what goes by. */
export interface FormMeter {
  /** The same bytes; once. */
  through(source: ByteSource): ByteSource
  /** Of what went by so far; call it once, at the end. */
  form(): StoredForm
}

/** Makes one: size and SHA-256. */
export function createFormMeter(): FormMeter {
  const hash = createHash('sha256')
  let size = 0
  return {
    async *through(source) {
      for await (const chunk of source) {
        size += chunk.length
        hash.update(chunk)
        yield chunk
      }
    },
    form: () => ({ size, sha256: hash.digest('hex') }),
  }
}

/** Reads to the end, and keeps nothing. */
export async function formOf(source: ByteSource): Promise<StoredForm> {
  const meter = createFormMeter()
  for await (const _ of meter.through(source));
  return meter.form()
}

/** Whether two forms are the same bytes. */
export function sameForm(one: StoredForm, other: StoredForm): boolean {
  return one.size === other.size && one.sha256 === other.sha256
}
