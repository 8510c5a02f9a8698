// A click on the waveform, the timeline or the spectrogram plays from there; a cursor follows the sound.
(() => {
  const song = (element) => element.closest(".genre-song");
  const seek = (figure, share) => {
    const audio = figure.querySelector("audio");
    audio.currentTime = Math.min(Math.max(share, 0), 0.999) * Number(figure.dataset.seconds);
    audio.play();
  };
  document.addEventListener("click", (event) => {
    const tracks = event.target.closest && event.target.closest(".genre-tracks");
    if (!tracks) return;
    const box = tracks.getBoundingClientRect();
    seek(song(tracks), (event.clientX - box.left) / box.width);
  });
  document.addEventListener("keydown", (event) => {
    const tracks = event.target.closest && event.target.closest(".genre-tracks");
    const step = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
    if (!tracks || !step) return;
    event.preventDefault();
    const audio = song(tracks).querySelector("audio");
    audio.currentTime = Math.max(0, audio.currentTime + step);
  });
  const follow = () => {
    for (const figure of document.querySelectorAll(".genre-song")) {
      const time = figure.querySelector("audio").currentTime;
      const tracks = figure.querySelector(".genre-tracks");
      figure.querySelector(".genre-cursor").style.left = `${(100 * time) / Number(figure.dataset.seconds)}%`;
      tracks.setAttribute("aria-valuenow", time.toFixed(1));
    }
    requestAnimationFrame(follow);
  };
  requestAnimationFrame(follow);
})();
