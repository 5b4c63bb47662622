import { answerJson, GcsRefusal, readBody, type FakeRequest } from './gcs-fake-answers.ts'
import { missingObject, resourceOf, type FakeBucket, type FakeVersion } from './gcs-fake-bucket.ts'

/** Answers a listing: items and groups in one order, cut into pages. */
export function answerListing(request: FakeRequest, bucket: FakeBucket, mostItems: number): void {
  const query = request.url.searchParams
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const from = Buffer.from(query.get('startOffset') ?? '')
  const versions = query.get('versions') === 'true'
  const entries: { readonly at: string; readonly item?: FakeVersion; readonly group?: string }[] = []
  const groups = new Set<string>()
  for (const version of bucket.all()) {
    const { name, generation, deletedAt } = version
    if ((deletedAt !== undefined && !versions) || !name.startsWith(prefix) || Buffer.compare(Buffer.from(name), from) < 0) continue
    const cut = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length)
    const group = cut < 0 ? undefined : name.slice(0, cut + delimiter.length)
    if (group === undefined) entries.push({ at: `o${name}\0${generation}`, item: version })
    else if (!groups.has(group)) entries.push({ at: `g${group}`, group })
    if (group !== undefined) groups.add(group)
  }
  const token = query.get('pageToken')
  const after = token === null ? 0 : positionOf(entries, Buffer.from(token, 'base64url').toString())
  const most = Math.min(Number(query.get('maxResults') ?? 1000), mostItems)
  const page = entries.slice(after, after + most)
  const last = page.at(-1)
  answerJson(request, {
    kind: 'storage#objects',
    ...(after + most < entries.length && last !== undefined ? { nextPageToken: Buffer.from(last.at).toString('base64url') } : {}),
    prefixes: page.flatMap(({ group }) => (group === undefined ? [] : [group])),
    items: page.flatMap(({ item }) => (item === undefined ? [] : [resourceOf(bucket, item, item.keySha256 === undefined)])),
  })
}

/** The first entry behind the last one given, also when that is gone by now. */
function positionOf(entries: readonly { readonly at: string }[], token: string): number {
  const name = (at: string): Buffer => Buffer.from(at.slice(1))
  const index = entries.findIndex(({ at }) => Buffer.compare(name(at), name(token)) > 0 && at !== token)
  return index < 0 ? entries.length : index
}

/** What a request says of a customer-supplied key. */
export interface FakeKeys {
  readonly keySha256: string | undefined
  readonly sourceKeySha256: string | undefined
}

/** GET, DELETE, compose and rewrite of one object. */
export async function answerObject(
  request: FakeRequest,
  bucket: FakeBucket,
  { name, keys }: { readonly name: string; readonly keys: FakeKeys },
): Promise<void> {
  const { method, url, outgoing } = request
  const generation = url.searchParams.get('generation')
  if (method === 'DELETE') {
    bucket.checkGeneration(name, url.searchParams.get('ifGenerationMatch'))
    bucket.remove(name, generation)
    outgoing.writeHead(204).end()
    return
  }
  if (method !== 'GET') throw new GcsRefusal(405, 'methodNotAllowed', 'Method not allowed')
  const found = bucket.find(name, generation)
  if (found === undefined) throw missingObject(bucket, name)
  if (url.searchParams.get('alt') !== 'media') {
    const withSums = found.keySha256 === undefined || found.keySha256 === keys.keySha256
    return answerJson(request, resourceOf(bucket, found, withSums))
  }
  checkKey(found, keys.keySha256)
  answerMedia(request, found)
}

/** Concatenates up to 32 objects on the server. */
export async function answerCompose(
  request: FakeRequest,
  bucket: FakeBucket,
  { name, keys }: { readonly name: string; readonly keys: FakeKeys },
): Promise<void> {
  const order = JSON.parse((await readBody(request.incoming)).toString()) as {
    readonly destination?: Record<string, never>
    readonly sourceObjects?: readonly { readonly name: string; readonly generation?: string }[]
  }
  const sources = order.sourceObjects ?? []
  if (sources.length === 0 || sources.length > 32)
    throw new GcsRefusal(400, 'invalid', 'The number of source components provided must be between 1 and 32.')
  const found = sources.map((source) => {
    const version = bucket.find(source.name, source.generation)
    if (version === undefined) throw missingObject(bucket, source.name)
    checkKey(version, keys.keySha256)
    return version
  })
  const stored = bucket.write({
    name,
    bytes: Buffer.concat(found.map(({ bytes }) => bytes)),
    description: order.destination ?? {},
    keySha256: keys.keySha256,
    ifGenerationMatch: request.url.searchParams.get('ifGenerationMatch'),
    componentCount: found.reduce((sum, { componentCount = 1 }) => sum + componentCount, 0),
  })
  answerJson(request, resourceOf(bucket, stored, true))
}

/** Above this a rewrite takes two requests, as it may. */
const ONE_REWRITE_BYTES = 262_144

/** Copies on the server. */
export async function answerRewrite(
  request: FakeRequest,
  from: { readonly bucket: FakeBucket; readonly name: string },
  { bucket, name, keys }: { readonly bucket: FakeBucket; readonly name: string; readonly keys: FakeKeys },
): Promise<void> {
  await readBody(request.incoming)
  const query = request.url.searchParams
  const source = from.bucket.find(from.name, query.get('sourceGeneration'))
  if (source === undefined) throw missingObject(from.bucket, from.name)
  checkKey(source, keys.sourceKeySha256)
  const objectSize = String(source.bytes.length)
  if (source.bytes.length > ONE_REWRITE_BYTES && query.get('rewriteToken') === null) {
    return answerJson(request, {
      kind: 'storage#rewriteResponse',
      done: false,
      objectSize,
      totalBytesRewritten: '1',
      rewriteToken: 'halfway',
    })
  }
  const { crc32c: _crc, md5Hash: _md5, ...description } = source.description
  const stored = bucket.write({
    name,
    bytes: source.bytes,
    description,
    keySha256: keys.keySha256,
    ifGenerationMatch: query.get('ifGenerationMatch'),
    ...(source.componentCount === undefined ? {} : { componentCount: source.componentCount }),
  })
  answerJson(request, {
    kind: 'storage#rewriteResponse',
    done: true,
    objectSize,
    totalBytesRewritten: objectSize,
    resource: resourceOf(bucket, stored, true),
  })
}

function checkKey({ keySha256 }: FakeVersion, given: string | undefined): void {
  if (keySha256 === given) return
  if (keySha256 === undefined)
    throw new GcsRefusal(
      400,
      'resourceNotEncryptedWithCustomerEncryptionKey',
      'The target object is not encrypted by a customer-supplied encryption key.',
    )
  if (given === undefined)
    throw new GcsRefusal(
      400,
      'resourceIsEncryptedWithCustomerEncryptionKey',
      'The target object is encrypted by a customer-supplied encryption key.',
    )
  throw new GcsRefusal(400, 'customerEncryptionKeyIsIncorrect', 'The provided encryption key is incorrect.')
}

function answerMedia({ incoming, outgoing }: FakeRequest, version: FakeVersion): void {
  const { bytes, generation, componentCount, crc32c, md5, description, updated } = version
  const headers = {
    'content-type': description.contentType ?? 'application/octet-stream',
    'x-goog-generation': String(generation),
    'x-goog-hash': `crc32c=${crc32c}${componentCount === undefined ? `,md5=${md5}` : ''}`,
    'x-goog-stored-content-length': String(bytes.length),
    'x-goog-storage-class': description.storageClass ?? 'STANDARD',
    'last-modified': updated.toUTCString(),
    ...(description.contentEncoding === undefined ? {} : { 'content-encoding': description.contentEncoding }),
  }
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(incoming.headers.range ?? '') ?? []
  if (first === undefined) {
    outgoing.writeHead(200, { ...headers, 'content-length': bytes.length }).end(bytes)
    return
  }
  const start = Number(first)
  if (start >= bytes.length) {
    outgoing
      .writeHead(416, { 'content-range': `bytes */${bytes.length}`, 'content-type': 'text/plain' })
      .end('Requested range not satisfiable')
    return
  }
  const end = last === '' || last === undefined ? bytes.length : Math.min(Number(last) + 1, bytes.length)
  const range = { 'content-length': end - start, 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }
  outgoing.writeHead(206, { ...headers, ...range }).end(bytes.subarray(start, end))
}
