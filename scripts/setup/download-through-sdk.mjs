/** Started by temporal.mjs as a separate process, because the SDK's download has no time limit: `node download-through-sdk.mjs FOLDER`. */
const server = { executable: { type: 'cached-download', downloadDir: process.argv[2] } };
const failures = [];
for (const start of ['createLocal', 'createTimeSkipping']) {
  try {
    const { TestWorkflowEnvironment } = await import('@temporalio/testing');
    // The SDK can only download and start together.
    const environment = await TestWorkflowEnvironment[start]({ server });
    await environment.teardown();
  } catch (error) {
    failures.push(error.message);
  }
}
if (failures.length > 0) {
  console.error(failures.join('\n'));
  process.exit(1);
}
