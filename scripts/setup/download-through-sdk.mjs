/** Started by temporal.mjs as a separate process, because the SDK's download has no time limit: `node download-through-sdk.mjs FOLDER`. */
const server = { executable: { type: 'cached-download', downloadDir: process.argv[2] } };
try {
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  // The SDK can only download and start together.
  const environment = await TestWorkflowEnvironment.createLocal({ server });
  await environment.teardown();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
