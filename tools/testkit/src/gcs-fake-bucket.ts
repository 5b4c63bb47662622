import { createHash } from 'node:crypto'
import { crc32c } from './crc32c.ts'
import { GcsRefusal } from './gcs-fake-answers.ts'

/** One version of an object in the fake. */
export interface FakeVersion {
  readonly name: string
  readonly generation: bigint
  readonly bytes: Buffer
  readonly updated: Date
  readonly description: FakeDescription
  /** SHA-256 of the customer-supplied key, base64. */
  readonly keySha256: string | undefined
  readonly componentCount: number | undefined
  readonly crc32c: string
  readonly md5: string
  deletedAt?: Date
}

/** What a client may say of an object. */
export interface FakeDescription {
  readonly contentType?: string
  readonly contentEncoding?: string
  readonly storageClass?: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly crc32c?: string
  readonly md5Hash?: string
}

/** What is to be stored. */
export interface FakeWrite {
  readonly name: string
  readonly bytes: Buffer
  readonly description: FakeDescription
  readonly keySha256: string | undefined
  readonly ifGenerationMatch: string | null
  readonly componentCount?: number
}

/** A bucket in memory. */
export interface FakeBucket {
  readonly name: string
  /** Whether old versions are kept. */
  versioning: boolean
  /** Keys that may not be deleted or replaced before a time. */
  readonly retention: Map<string, Date>
  write(write: FakeWrite): FakeVersion
  /** The current version, or the one of that generation. */
  find(name: string, generation?: string | null): FakeVersion | undefined
  remove(name: string, generation: string | null): void
  /** Every version in the order of names, by their bytes, the oldest first. */
  all(): readonly FakeVersion[]
  checkGeneration(name: string, ifGenerationMatch: string | null): void
}

/** Makes an empty bucket. */
export function createFakeBucket(name: string): FakeBucket {
  const objects = new Map<string, FakeVersion[]>()
  let lastGeneration = 0n
  const nextGeneration = (): bigint => {
    const micros = BigInt(Date.now()) * 1000n
    lastGeneration = micros > lastGeneration ? micros : lastGeneration + 1n
    return lastGeneration
  }
  const current = (key: string): FakeVersion | undefined => objects.get(key)?.find(({ deletedAt }) => deletedAt === undefined)
  const bucket: FakeBucket = {
    name,
    versioning: false,
    retention: new Map(),
    find: (key, generation) =>
      generation === null || generation === undefined
        ? current(key)
        : objects.get(key)?.find((version) => String(version.generation) === generation),
    checkGeneration(key, wanted) {
      if (wanted !== null && wanted !== String(current(key)?.generation ?? 0)) {
        throw new GcsRefusal(412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.')
      }
    },
    write({ name: key, bytes, description, keySha256, ifGenerationMatch, componentCount }) {
      bucket.checkGeneration(key, ifGenerationMatch)
      if (current(key) !== undefined) checkRetention(bucket, key)
      const version = describe({ name: key, bytes, description, keySha256, componentCount, generation: nextGeneration() })
      checkSums(version, description)
      retire(objects, key, bucket.versioning)
      objects.set(key, [...(objects.get(key) ?? []), version])
      return version
    },
    remove(key, generation) {
      const found = bucket.find(key, generation)
      if (found === undefined) throw missingObject(bucket, key)
      checkRetention(bucket, key)
      if (generation === null) retire(objects, key, bucket.versioning)
      else
        objects.set(
          key,
          (objects.get(key) ?? []).filter((version) => version !== found),
        )
    },
    all: () =>
      [...objects.keys()]
        .map((key) => ({ key, bytes: Buffer.from(key) }))
        .toSorted((left, right) => Buffer.compare(left.bytes, right.bytes))
        .flatMap(({ key }) => objects.get(key) ?? []),
  }
  return bucket
}

/** "No such object", as GCS words it. */
export function missingObject({ name }: FakeBucket, key: string): GcsRefusal {
  return new GcsRefusal(404, 'notFound', `No such object: ${name}/${key}`)
}

/** An object as the JSON API shows it; checksums of objects under a key only to whoever has the key. */
export function resourceOf({ name: bucket }: FakeBucket, version: FakeVersion, withSums: boolean): Record<string, unknown> {
  const { name, generation, bytes, updated, deletedAt, description, keySha256, componentCount } = version
  return {
    kind: 'storage#object',
    id: `${bucket}/${name}/${generation}`,
    name,
    bucket,
    generation: String(generation),
    metageneration: '1',
    contentType: description.contentType ?? 'application/octet-stream',
    storageClass: description.storageClass ?? 'STANDARD',
    size: String(bytes.length),
    ...(withSums ? { crc32c: version.crc32c, ...(componentCount === undefined ? { md5Hash: version.md5 } : {}) } : {}),
    ...(componentCount === undefined ? {} : { componentCount }),
    ...(description.contentEncoding === undefined ? {} : { contentEncoding: description.contentEncoding }),
    ...(description.metadata === undefined ? {} : { metadata: description.metadata }),
    ...(keySha256 === undefined ? {} : { customerEncryption: { encryptionAlgorithm: 'AES256', keySha256 } }),
    timeCreated: updated.toISOString(),
    updated: updated.toISOString(),
    ...(deletedAt === undefined ? {} : { timeDeleted: deletedAt.toISOString() }),
    etag: `CK${generation}`,
  }
}

/** CRC-32C as the API writes it. */
export function crcText(bytes: Uint8Array): string {
  const out = Buffer.alloc(4)
  out.writeUInt32BE(crc32c(bytes))
  return out.toString('base64')
}

function describe(parts: Omit<FakeVersion, 'updated' | 'crc32c' | 'md5'>): FakeVersion {
  const md5 = createHash('md5').update(parts.bytes).digest('base64')
  return { ...parts, updated: new Date(), crc32c: crcText(parts.bytes), md5 }
}

function checkSums(version: FakeVersion, { crc32c: crc, md5Hash }: FakeDescription): void {
  if (crc !== undefined && crc !== version.crc32c)
    throw new GcsRefusal(400, 'invalid', `Provided CRC32C "${crc}" doesn't match calculated CRC32C "${version.crc32c}".`)
  if (md5Hash !== undefined && md5Hash !== version.md5)
    throw new GcsRefusal(400, 'invalid', `Provided MD5 hash "${md5Hash}" doesn't match calculated MD5 hash "${version.md5}".`)
}

/** The current version becomes an old one, or is gone. */
function retire(objects: Map<string, FakeVersion[]>, key: string, keep: boolean): void {
  const versions = objects.get(key) ?? []
  for (const version of versions) if (keep) version.deletedAt ??= new Date()
  objects.set(
    key,
    versions.filter(({ deletedAt }) => deletedAt !== undefined),
  )
}

function checkRetention({ retention, name }: FakeBucket, key: string): void {
  const until = retention.get(key)
  if (until === undefined || until <= new Date()) return
  throw new GcsRefusal(
    403,
    'retentionPolicyNotMet',
    `Object '${name}/${key}' is subject to bucket's retention policy or object retention and cannot be deleted or overwritten until ${until.toISOString()}`,
  )
}
