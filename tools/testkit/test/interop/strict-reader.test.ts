import { expect, test } from 'vitest'
import { checkRepositoryStrictly, fixturePath } from '../../src/index.ts'

const repositories = [
  'codecs/lz4',
  'codecs/zstd',
  'codecs/brotli',
  'composers/regular-parts',
  'versions/pg13',
  'versions/pg17',
  'versions/pg18-16mb',
]

for (const name of repositories) {
  const path = fixturePath(name)
  test.skipIf(path === undefined)(`${name}, which the real WAL-G wrote, is clean (needs the fixtures)`, async () => {
    const report = await checkRepositoryStrictly(`${path}/repo`)
    expect(report.problems).toEqual([])
    expect(report.backups.length).toBeGreaterThan(0)
    expect(report.walFiles.length).toBeGreaterThan(0)
  })
}

const odd = fixturePath('odd-links')
test.skipIf(odd === undefined)('links, which WAL-G stores wrongly, are refused (needs the fixtures)', async () => {
  const { problems } = await checkRepositoryStrictly(`${odd}/repo`)
  expect(problems.join('\n')).toContain('"/conf/link-abs": is a symbolic link')
})
