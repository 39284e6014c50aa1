// WebGL2: the mask is uploaded as class ids, one byte per pixel; the shader looks up colours, visibility and opacity, so
// that changing them uploads no pixels.

const VERTICES = `#version 300 es
out vec2 place;
void main() {
  // One triangle that covers the canvas; place is 0 to 1, from the top left.
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  place = vec2(corner.x + 1.0, 1.0 - corner.y) / 2.0;
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

const PIXELS = `#version 300 es
precision highp float;
precision highp usampler2D;
uniform sampler2D frame;
uniform usampler2D mask;
uniform sampler2D palette;
uniform float opacity;
uniform vec2 bare;
in vec2 place;
out vec4 color;

vec4 classAt(ivec2 at) {
  uint id = texelFetch(mask, clamp(at, ivec2(0), textureSize(mask, 0) - 1), 0).r;
  vec4 found = texelFetch(palette, ivec2(int(id), 0), 0);
  return vec4(found.rgb * found.a, found.a);
}

void main() {
  vec3 photo = texture(frame, place).rgb;
  // Colours are interpolated between neighbours, never ids.
  vec2 at = place * vec2(textureSize(mask, 0)) - 0.5;
  ivec2 first = ivec2(floor(at));
  vec2 between = fract(at);
  vec4 over = mix(
    mix(classAt(first), classAt(first + ivec2(1, 0)), between.x),
    mix(classAt(first + ivec2(0, 1)), classAt(first + ivec2(1, 1)), between.x),
    between.y
  );
  over *= place.x >= bare.x && place.x < bare.y ? 0.0 : opacity;
  color = vec4(photo * (1.0 - over.a) + over.rgb, 1.0);
}`;

const FRAME = 0;
const MASK = 1;
const PALETTE = 2;

/** See createPainter in stage.js. */
export class WebglPainter {
  #gl;
  #uniforms;
  #shown = {};

  /** A painter for `canvas`; undefined without WebGL2. */
  static create(canvas) {
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false });
    return gl ? new WebglPainter(gl) : undefined;
  }

  constructor(gl) {
    this.#gl = gl;
    // Phones take the context away while another app is in front; the stage redraws when it is restored.
    gl.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    gl.canvas.addEventListener("webglcontextrestored", () => this.#prepare());
    this.#prepare();
  }

  paint({ frame, mask, rgba, opacity, bare }) {
    const gl = this.#gl;
    if (gl.isContextLost()) return;
    if (frame !== this.#shown.frame) {
      gl.canvas.width = frame.width;
      gl.canvas.height = frame.height;
      gl.viewport(0, 0, frame.width, frame.height);
      gl.activeTexture(gl.TEXTURE0 + FRAME);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, frame);
    }
    if (mask && mask !== this.#shown.mask) {
      gl.activeTexture(gl.TEXTURE0 + MASK);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8UI, mask.width, mask.height, 0, gl.RED_INTEGER, gl.UNSIGNED_BYTE, mask.ids);
    }
    gl.activeTexture(gl.TEXTURE0 + PALETTE);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, rgba);
    gl.uniform1f(this.#uniforms.opacity, mask ? opacity : 0);
    gl.uniform2f(this.#uniforms.bare, ...bare);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    this.#shown = { frame, mask: mask ?? this.#shown.mask };
  }

  #prepare() {
    const gl = this.#gl;
    const program = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, VERTICES],
      [gl.FRAGMENT_SHADER, PIXELS],
    ]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    this.#uniforms = Object.fromEntries(
      ["frame", "mask", "palette", "opacity", "bare"].map((name) => [name, gl.getUniformLocation(program, name)]),
    );
    for (const [name, unit, filter] of [
      ["frame", FRAME, gl.LINEAR],
      ["mask", MASK, gl.NEAREST],
      ["palette", PALETTE, gl.NEAREST],
    ]) {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
      gl.uniform1i(this.#uniforms[name], unit);
    }
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    // Until there is a mask: one pixel, hidden by opacity 0.
    gl.activeTexture(gl.TEXTURE0 + MASK);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8UI, 1, 1, 0, gl.RED_INTEGER, gl.UNSIGNED_BYTE, new Uint8Array(1));
    this.#shown = {};
  }
}
