import { expect } from 'vitest'
import { countOf, headerOf, linesOf, present, put, seen, type Act, type Given, type KeysOf, type Proof, type Seen } from './proof.ts'
import { answersOfS3, type Answering } from './recording-server.ts'

/** A bucket of OSS behind a proxy that is the recording server: its endpoint puts buckets into the host name. */
const oss = (given: Given, act: Act = put(), answering: Answering = answersOfS3()): Promise<Seen> =>
  seen(
    (url) =>
      present({
        WALG_OSS_PREFIX: 'oss://bucket/folder',
        OSS_ENDPOINT: 'http://s3.oss.example',
        WALTZ_HTTP_PROXY: url,
        OSS_ACCESS_KEY_ID: 'KEYNAME',
        OSS_ACCESS_KEY_SECRET: 'secret',
        OSS_REGION: 'cn-hangzhou',
        OSS_SKIP_VALIDATION: 'true',
        OSS_MAX_RETRIES: '0',
        ...given,
      }),
    { act, answering },
  )

const missing = async (name: string): Promise<void> => {
  expect((await oss({ [name]: undefined })).error).toMatchObject({ kind: 'invalid', message: `${name} is not set` })
}

/** Every setting of Alibaba OSS that Waltz acts on. */
export const ossProofs: Readonly<Record<KeysOf<'oss'>, Proof>> = {
  async ossPrefix() {
    expect(linesOf(await oss({ WALG_OSS_PREFIX: undefined, WALE_OSS_PREFIX: 'oss://other/x' }))[0]).toMatch(
      /^PUT http:\/\/other\.s3\.oss\.example\/x\/key/,
    )
  },
  async ossAccessKeyId() {
    expect(headerOf(await oss({ OSS_ACCESS_KEY_ID: undefined, WALG_OSS_ACCESS_KEY_ID: ' OWN ' }), 'authorization')).toContain(
      'Credential=OWN/',
    )
    await missing('OSS_ACCESS_KEY_ID')
  },
  async ossAccessKeySecret() {
    await missing('OSS_ACCESS_KEY_SECRET')
    const signed = await oss({})
    const other = await oss({ OSS_ACCESS_KEY_SECRET: 'other' })
    expect(headerOf(signed, 'authorization')).not.toBe(headerOf(other, 'authorization'))
  },
  async ossSessionToken() {
    expect(headerOf(await oss({ OSS_SESSION_TOKEN: 'token' }), 'x-amz-security-token')).toBe('token')
  },
  async ossRegion() {
    await missing('OSS_REGION')
    expect(headerOf(await oss({ OSS_REGION: 'oss-cn-beijing' }), 'authorization')).toContain('/cn-beijing/s3/')
  },
  async ossEndpoint() {
    expect(linesOf(await oss({ OSS_ENDPOINT: 'http://own.example' }))[0]).toContain('http://bucket.own.example/')
    expect(linesOf(await oss({ OSS_ENDPOINT: undefined }))[0]).toBe('CONNECT bucket.s3.oss-cn-hangzhou.aliyuncs.com:443')
  },
  async ossRoleArn() {
    expect((await oss({ OSS_ROLE_ARN: 'acs:ram::1:role/x' })).error).toMatchObject({
      kind: 'invalid',
      message: 'OSS_ROLE_ARN cannot be served',
    })
  },
  async ossSkipValidation() {
    expect(linesOf(await oss({ OSS_SKIP_VALIDATION: undefined }))[0]).toMatch(/^GET .*max-keys=1/)
    expect(linesOf(await oss({}))[0]).toMatch(/^PUT /)
  },
  async ossMaxRetries() {
    const failing = answersOfS3(() => ({ status: 500 }))
    expect(countOf(await oss({ OSS_MAX_RETRIES: '0' }, (store) => store.head('key'), failing), /HEAD/)).toBe(1)
    expect(countOf(await oss({ OSS_MAX_RETRIES: '2' }, (store) => store.head('key'), failing), /HEAD/)).toBe(3)
  },
  async ossConnectTimeout() {
    expect((await oss({ OSS_CONNECT_TIMEOUT: '7', WALTZ_HTTP_PROXY: undefined, OSS_ENDPOINT: 'http://127.0.0.1:9' })).waits).toContain(7000)
  },
  async ossUploadPartSize() {
    const parts = ({ requests }: Seen): readonly number[] =>
      requests.filter(({ url }) => url.includes('partNumber')).map(({ body }) => body.length)
    expect(parts(await oss({ OSS_UPLOAD_PART_SIZE: '5500000' }, put(11_000_001))).toSorted((left, right) => left - right)).toEqual([
      1, 5_500_000, 5_500_000,
    ])
    // Parts of S3 are at least 5 MiB.
    expect(parts(await oss({ OSS_UPLOAD_PART_SIZE: '102400' }, put(5_242_881)))).toContain(5_242_880)
  },
}
