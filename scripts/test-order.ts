import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files that take a quarter of a minute or more, the longest first. A machine that has run no tests yet knows nothing of that, and would
 * begin the smallest file last, however long it takes: the others of its turn had ended long before. To be in the wrong place costs
 * seconds, nothing else.
 */
const LONG = [
  'apps/cli/test/integration/storages-secrets',
  'apps/cli/test/integration/storages-journey',
  'packages/storage-swift/test/integration/conformance',
  'packages/storage-s3/test/integration/conformance',
  'packages/backup-kit/test/integration/crash-points',
  'packages/pg-physical-backup/test/integration/restore-kill',
  'apps/cli/test/integration/backup-fetch',
  'tools/demo/test/integration/demo',
  'apps/cli/test/integration/encryption-secrets',
  'apps/cli/test/interop/delete-commands',
  'packages/storage-azure/test/integration/conformance',
  'apps/cli/test/integration/storages-failover',
  'bench/test/codecs',
  'packages/backup-kit/test/integration/encryption-matrix',
  'packages/codecs/test/memory',
  'apps/cli/test/integration/shipped-damage',
  'packages/codecs/test/interop/cli',
  'packages/pg-structures/test/integration/wal',
  'packages/storage-gcs/test/gcs-store',
  'tools/demo/test/integration/demo-storages',
  'packages/storage-gcs/test/conformance',
  'packages/storage-file/test/conformance',
  'packages/storage-azure/test/integration/store',
  'packages/crypto/test/mutations',
  'apps/cli/test/drill/retention-journey',
  'apps/cli/test/drill/encryption-journey',
].map((name) => `/${name}.test.ts`)

/** Begins what takes long before the rest of its project. */
export default class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const turns = new Map<unknown, TestSpecification[]>()
    for (const file of sorted) turns.set(file.project, [...(turns.get(file.project) ?? []), file])
    return [...turns.values()].flatMap((turn) => turn.toSorted((left, right) => placeOf(left) - placeOf(right)))
  }
}

function placeOf({ moduleId }: TestSpecification): number {
  const place = LONG.findIndex((name) => moduleId.endsWith(name))
  return place < 0 ? LONG.length : place
}
