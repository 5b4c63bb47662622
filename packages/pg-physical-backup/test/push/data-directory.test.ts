import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SystemIdentifier } from '@waltz/pg-structures'
import { openDataDirectory, readControlFile } from '../../src/push/data-directory.ts'
import type { ServerFacts } from '../../src/push/server-facts.ts'
import { controlFile, plantCluster, scratch, SYSTEM_IDENTIFIER } from './fakes.ts'

let folder: ReturnType<typeof scratch>
let data: string
beforeEach(() => {
  folder = scratch()
  data = plantCluster(folder)
})
afterEach(() => folder.dispose())

const facts = (dataDirectory: string): ServerFacts =>
  ({ dataDirectory, systemIdentifier: SYSTEM_IDENTIFIER as SystemIdentifier }) as ServerFacts
const sleep = async (): Promise<void> => undefined

describe('openDataDirectory', () => {
  it('takes the same directory by any path', async () => {
    symlinkSync(data, join(folder.path, 'link'))
    for (const given of [data, `${data}/`, join(folder.path, 'link'), relative(process.cwd(), data), `${data}/base/..`]) {
      expect((await openDataDirectory(given, facts(join(folder.path, 'link')), sleep)).path).toBe(data)
    }
  })

  it('refuses the directory of another cluster at the same path, as on another host', async () => {
    writeFileSync(join(data, 'global/pg_control'), controlFile(SYSTEM_IDENTIFIER + 1n))
    await expect(openDataDirectory(data, facts(data), sleep)).rejects.toMatchObject({
      kind: 'invalid',
      code: 'DATA_DIRECTORY_MISMATCH',
      message: expect.stringContaining(String(SYSTEM_IDENTIFIER + 1n)) as string,
    })
  })

  it('refuses another directory of the same cluster, such as that of a standby', async () => {
    mkdirSync(join(folder.path, 'standby'))
    await expect(openDataDirectory(data, facts(join(folder.path, 'standby')), sleep)).rejects.toMatchObject({
      code: 'DATA_DIRECTORY_MISMATCH',
    })
    await expect(openDataDirectory(data, facts('/in/another/container'), sleep)).rejects.toMatchObject({ code: 'DATA_DIRECTORY_MISMATCH' })
  })

  it.each([
    ['a folder without pg_control', 'PG_VERSION'],
    ['a folder without PG_VERSION', 'global/pg_control'],
  ])('refuses %s', async (_, only) => {
    folder.plant(`other/${only}`, only === 'PG_VERSION' ? '17' : controlFile())
    const path = join(folder.path, 'other')
    await expect(openDataDirectory(path, facts(path), sleep)).rejects.toMatchObject({ kind: 'invalid', code: 'DATA_DIRECTORY_UNSUITABLE' })
  })

  it('refuses a path that is not there', async () => {
    await expect(openDataDirectory(join(folder.path, 'no'), facts(data), sleep)).rejects.toMatchObject({
      code: 'DATA_DIRECTORY_UNSUITABLE',
    })
  })

  it('does not take a disk that fails for a wrong directory', async () => {
    // A folder where the file should be: it is there, and cannot be read.
    mkdirSync(join(folder.path, 'other/PG_VERSION'), { recursive: true })
    const path = join(folder.path, 'other')
    await expect(openDataDirectory(path, facts(path), sleep)).rejects.toMatchObject({ kind: 'unavailable', code: 'DATA_FILE_UNREADABLE' })
  })
})

describe('readControlFile', () => {
  it('reads again until the server has written it whole', async () => {
    const whole = readFileSync(join(data, 'global/pg_control'))
    const torn = Buffer.from(whole)
    torn.fill(0, 100, 200)
    writeFileSync(join(data, 'global/pg_control'), torn)
    let reads = 0
    const { bytes } = await readControlFile(data, async () => {
      if ((reads += 1) === 3) writeFileSync(join(data, 'global/pg_control'), whole)
    })
    expect(Buffer.compare(bytes, whole)).toBe(0)
  })

  it('gives up on one that stays damaged', async () => {
    writeFileSync(join(data, 'global/pg_control'), controlFile().fill(1, 100, 200))
    await expect(readControlFile(data, sleep)).rejects.toMatchObject({ kind: 'corrupt', code: 'CONTROL_FILE_DAMAGED' })
  })
})
