import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

/** Runs 256 MiB through a cipher and back in a process of its own, and prints by how many MiB its peak grew. */
const script = (make: string): string => `
  import { libsodium } from '@waltz/crypto/libsodium'
  import { awsKms } from '@waltz/crypto/aws-kms'
  import { giveBack } from '@waltz/bytes'
  const service = { keyId: 'k', wrap: async (key) => Buffer.concat([key, Buffer.alloc(152)]), unwrap: async (blob) => blob.slice(0, 32) }
  const cipher = ${make}
  const block = Buffer.alloc(262_144)
  async function* input(count) { for (let turn = 0; turn < count; turn += 1) yield block }
  const run = async (count) => { let total = 0; for await (const chunk of cipher.decrypt(cipher.encrypt(input(count)))) { total += chunk.length; giveBack(chunk) } return total }
  await run(8)
  const before = process.resourceUsage().maxRSS
  const total = await run(1024)
  console.log(JSON.stringify([total, Math.ceil((process.resourceUsage().maxRSS - before) / 1024)]))
`

describe('memory', () => {
  it.each([
    ['libsodium', 'libsodium({ key: new Uint8Array(32) })'],
    ['libsodium in WebAssembly', `libsodium({ key: new Uint8Array(32), engine: 'libsodium-wrappers' })`],
    ['AWS KMS', 'awsKms({ service })'],
  ])('of %s is bounded for any length', { timeout: 60_000 }, async (_, make) => {
    const args = ['--conditions=source', '--input-type=module', '-e', script(make)]
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: fileURLToPath(new URL('.', import.meta.url)) })
    const [total, grownMib] = JSON.parse(stdout) as [number, number]
    expect(total).toBe(268_435_456)
    expect(grownMib).toBeLessThan(64)
  })
})
