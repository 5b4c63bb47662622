import { googleCloudForm } from '../support/facts.ts'
import { testGcsFaults } from '../support/network-faults.ts'

testGcsFaults('GCS store on a bad day', [
  { ...googleCloudForm, options: { engine: 'google-cloud', chunkBytes: googleCloudForm.partBytes } },
])
