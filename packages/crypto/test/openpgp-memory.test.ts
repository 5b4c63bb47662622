import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

/** Runs content through a cipher and back in a process of its own, and prints by how many MiB its peak grew. */
const script = (options: string, mib: number): string => `
  import { readFileSync } from 'node:fs'
  import { createBlockPool, giveBack } from '@waltz/bytes'
  import { openpgp } from '@waltz/crypto/openpgp'
  const armoredKeys = readFileSync('fixtures/openpgp/keys/ecc.sec.asc', 'utf8')
  const cipher = await openpgp({ armoredKeys, now: () => new Date(), ${options} })
  const pool = createBlockPool(262_144)
  async function* input(count) { for (let turn = 0; turn < count; turn += 1) yield pool.take() }
  const run = async (count) => {
    let total = 0
    for await (const chunk of cipher.decrypt(cipher.encrypt(input(count)))) {
      total += chunk.length
      giveBack(chunk)
    }
    return total
  }
  await run(8)
  const before = process.resourceUsage().maxRSS
  const total = await run(${mib} * 4)
  console.log(JSON.stringify([total, Math.ceil((process.resourceUsage().maxRSS - before) / 1024)]))
`

it.each([
  ['the own engine', '', 512, 64],
  ['the library', `engine: 'openpgpjs'`, 128, 160],
])('memory of %s is bounded for any length', { timeout: 60_000 }, async (_, options, mib, limitMib) => {
  const args = ['--conditions=source', '--input-type=module', '-e', script(options, mib)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: fileURLToPath(new URL('.', import.meta.url)) })
  const [total, grownMib] = JSON.parse(stdout) as [number, number]
  expect(total).toBe(mib * 1_048_576)
  expect(grownMib).toBeLessThan(limitMib)
})
