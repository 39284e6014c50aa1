"""The command line, one verb a file. TensorFlow takes seconds to import, so each verb imports it when it runs."""
